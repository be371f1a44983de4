// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

const KEY = 'chattenant.token';

/**
 * Where the resume token lives between two pages of one visit. Nothing else is ever stored, and nothing before a
 * conversation exists.
 */
export interface TokenStore {
  load(): string | undefined;
  save(token: string): void;
  clear(): void;
}

/**
 * The tab's session storage, gone when the tab is closed. A browser that denies it to embedded pages gets a chat that
 * works just as well for as long as the panel lives.
 */
export function sessionTokenStore(storage: () => Storage): TokenStore {
  return {
    load: () => attempt(() => storage().getItem(KEY)) ?? undefined,
    save: (token) => {
      attempt(() => {
        storage().setItem(KEY, token);
      });
    },
    clear: () => {
      attempt(() => {
        storage().removeItem(KEY);
      });
    },
  };
}

function attempt<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch {
    // Denied (SecurityError) or full: the token stays in memory only.
    return undefined;
  }
}
