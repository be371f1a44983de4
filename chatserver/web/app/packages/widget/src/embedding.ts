// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { LoaderMessage, PanelMessage } from '@chattenant/loader/messages';

/** The page around the panel, as far as the panel knows it. Observed, it says whether the visitor sees the panel. */
export interface Embedding {
  /** Whether there is one; a panel in a tab of its own has nothing to close. */
  readonly framed: boolean;
  tell(message: PanelMessage): void;
  snapshot(): boolean;
  subscribe(listener: () => void): () => void;
}

/** Listens from the first moment: the answer to `ready` may come before anything is drawn. */
export function embeddingOf(own: Window): Embedding {
  const { parent } = own;
  const framed = parent !== own;
  const listeners = new Set<() => void>();
  // In a tab of its own the panel is always in sight.
  let shown = !framed;
  own.addEventListener('message', ({ source, data }: MessageEvent<LoaderMessage | null>) => {
    if (!framed || source !== parent) return;
    if (data?.chattenant !== 'shown' && data?.chattenant !== 'hidden') return;
    shown = data.chattenant === 'shown';
    for (const listener of listeners) listener();
  });
  return {
    framed,
    tell: (message) => {
      // To any origin: who may frame the panel is the server's decision (frame-ancestors), and this is no secret.
      if (framed) parent.postMessage(message, '*');
    },
    snapshot: () => shown,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
