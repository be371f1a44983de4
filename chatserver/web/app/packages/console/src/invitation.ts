// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** The part of the browser an invitation link touches. */
export interface AddressBar {
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search'>;
  readonly history: Pick<History, 'replaceState'>;
}

/**
 * Takes the invitation out of the address, where it would stay in the history, on shared screens and in screenshots.
 * A fragment never reaches a server or its logs.
 */
export function takeInvitation({ location, history }: AddressBar): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('invitation');
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
  return token === null || token === '' ? undefined : token;
}
