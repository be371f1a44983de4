// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** Calls `wake` whenever a connection may be worth another look. Answers with the way to stop. */
export type WakeSignal = (wake: () => void) => () => void;

/** The browser's hints: the network is back, the tab is looked at, the page returned from the back-forward cache. */
export const browserWakeSignal: WakeSignal = (wake) => {
  const whenVisible = () => {
    if (document.visibilityState === 'visible') wake();
  };
  window.addEventListener('online', wake);
  window.addEventListener('pageshow', wake);
  document.addEventListener('visibilitychange', whenVisible);
  return () => {
    window.removeEventListener('online', wake);
    window.removeEventListener('pageshow', wake);
    document.removeEventListener('visibilitychange', whenVisible);
  };
};
