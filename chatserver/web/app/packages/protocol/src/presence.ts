// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Attendance, PresenceFrame } from './frames';

/** Who is there, as the server last said. What it said holds only while there is a connection. */
export class Presence {
  #available: boolean | undefined;
  readonly #people = new Map<string, Map<string, Attendance>>();
  readonly #colleagues = new Set<string>();

  /** A new connection is told everything anew. Until then people stay as they were: most reconnects change nothing. */
  connected(): void {
    this.#colleagues.clear();
  }

  heard({ available, people = [] }: PresenceFrame): void {
    this.#available = available ?? this.#available;
    for (const attendance of people) this.#note(attendance);
  }

  #note(attendance: Attendance): void {
    const { conversation, id, online } = attendance;
    if (conversation === undefined) {
      if (online) this.#colleagues.add(id);
      else this.#colleagues.delete(id);
      return;
    }
    const known = this.#people.get(conversation) ?? new Map<string, Attendance>();
    known.set(id, attendance);
    this.#people.set(conversation, known);
  }

  peopleIn(conversation: string): readonly Attendance[] {
    return [...(this.#people.get(conversation)?.values() ?? [])];
  }

  /** Beyond any conversation: whether an agent is there for a visitor, how many are for an agent. */
  anyone(): { readonly available?: boolean; readonly colleagues: number } {
    const available = this.#available !== undefined && { available: this.#available };
    return { ...available, colleagues: this.#colleagues.size };
  }
}
