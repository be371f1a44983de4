// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Cursor } from './frames';

/** How many conversations are asked for at once; of more, the last. */
const MOST = 20;

/** Conversations that were asked for and did not come yet. The server tells of those that `hello` names. */
export class Wanted {
  readonly #ids = new Set<string>();
  #named: ReadonlySet<string> = new Set();
  #epoch = 0;

  add(conversation: string): void {
    this.#ids.delete(conversation);
    this.#ids.add(conversation);
    for (const oldest of [...this.#ids].slice(0, -MOST)) this.#ids.delete(oldest);
  }

  came(conversation: string): void {
    this.#ids.delete(conversation);
  }

  /** For `hello`: nothing is known of them. */
  cursors(): Record<string, Cursor> {
    this.#named = new Set(this.#ids);
    return Object.fromEntries([...this.#ids].map((id) => [id, { epoch: this.#epoch, seq: 0 }]));
  }

  /** Says whether something was asked for after `hello`, which takes another. */
  welcomed(epoch: number): boolean {
    this.#epoch = epoch;
    return [...this.#ids].some((id) => !this.#named.has(id));
  }
}
