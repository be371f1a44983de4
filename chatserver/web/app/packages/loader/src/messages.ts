// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * What loader and panel tell each other with `postMessage`. None of it is secret and none of it is trusted: each side
 * checks who speaks, and a forged message could at most close the panel or draw a wrong number.
 */
export type PanelMessage =
  | { readonly chattenant: 'ready' }
  | { readonly chattenant: 'close' }
  | { readonly chattenant: 'unread'; readonly count: number };

/** From the loader to the panel: whether the visitor can see it. */
export interface LoaderMessage {
  readonly chattenant: 'shown' | 'hidden';
}
