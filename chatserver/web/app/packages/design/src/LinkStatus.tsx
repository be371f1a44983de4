// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { LinkState } from '@chattenant/protocol';
import { text } from './text';

const words: Readonly<Record<LinkState['kind'], string>> = {
  stopped: text.offline,
  connecting: text.connecting,
  online: text.online,
  waiting: text.waiting,
  refused: text.offline,
};

export interface StatusProps {
  /** online, away and unknown are how somebody else is, the others how the connection is. */
  readonly kind: LinkState['kind'] | 'away' | 'unknown';
  readonly words: string;
}

/** Says how something is, and says it again when that changes. */
export function Status({ kind, words }: StatusProps) {
  return (
    <span class={`status ${kind}`} role="status">
      {words}
    </span>
  );
}

/** Says how the connection is. */
export function LinkStatus({ link }: { readonly link: LinkState }) {
  return <Status kind={link.kind} words={words[link.kind]} />;
}
