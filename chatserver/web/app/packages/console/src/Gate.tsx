// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Info } from '@chattenant/protocol';
import type { ComponentChildren } from 'preact';
import { text } from './text';

export interface GateProps {
  readonly info: Info | undefined;
  readonly heading: string;
  readonly children: ComponentChildren;
}

/** The frame of every screen before the desk. */
export function Gate({ info, heading, children }: GateProps) {
  return (
    <main class="gate">
      <div class="card">
        <p class="brand">
          {info?.displayName} <span>{text.console}</span>
        </p>
        <h1 tabIndex={-1}>{heading}</h1>
        {children}
      </div>
    </main>
  );
}
