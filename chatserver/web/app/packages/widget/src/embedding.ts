// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { LoaderMessage, PanelMessage } from '@chattenant/loader/messages';

/** The page around the panel, as far as the panel knows it. */
export interface Embedding {
  /** Whether there is one; a panel in a tab of its own has nothing to close. */
  readonly framed: boolean;
  tell(message: PanelMessage): void;
  /** Calls the listener when the panel comes into sight or leaves it. */
  onVisibility(listener: (shown: boolean) => void): void;
}

export function embeddingOf(own: Window): Embedding {
  const { parent } = own;
  const framed = parent !== own;
  return {
    framed,
    tell: (message) => {
      // To any origin: who may frame the panel is the server's decision (frame-ancestors), and this is no secret.
      if (framed) parent.postMessage(message, '*');
    },
    onVisibility: (listener) => {
      own.addEventListener('message', ({ source, data }: MessageEvent<LoaderMessage | null>) => {
        if (source !== parent || !framed) return;
        if (data?.chattenant === 'shown') listener(true);
        else if (data?.chattenant === 'hidden') listener(false);
      });
    },
  };
}
