// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Contact, ConversationFrame, Cursor, EventFrame, OpenedFrame } from './frames';

/**
 * How many cursors a `hello` may carry, so that it stays below the largest frame. The server sends a conversation whose
 * cursor is left out from the start, and what is known of it is dropped here: more traffic, the same result.
 */
export const MAX_CURSORS = 150;

/** What became of an event: added, dropped because it was known, or refused because something before it is missing. */
export type Appended = 'added' | 'known' | 'gap';

/** The events of one conversation in the server's order, without gaps. */
export class Transcript {
  readonly id: string;
  openedAt: string;
  contact: Contact | undefined;
  /** The last sequence number the server is known to have. */
  head = 0;
  #epoch: number | undefined;
  #events: readonly EventFrame[] = [];

  constructor(id: string, openedAt: string) {
    this.id = id;
    this.openedAt = openedAt;
  }

  get events(): readonly EventFrame[] {
    return this.#events;
  }

  /** Sequence number of the last event here, 0 when there is none. */
  get seq(): number {
    return this.#events.at(-1)?.seq ?? 0;
  }

  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** When something last happened here: a time of the server, comparable as text. */
  get lastAt(): string {
    return this.#events.at(-1)?.at ?? this.openedAt;
  }

  get behind(): boolean {
    return this.seq < this.head;
  }

  get cursor(): Cursor | undefined {
    return this.#epoch === undefined || this.seq === 0 ? undefined : { epoch: this.#epoch, seq: this.seq };
  }

  noteHead(seq: number): void {
    this.head = Math.max(this.head, seq);
  }

  append(event: EventFrame): Appended {
    const sameEpoch = this.seq === 0 || event.epoch === this.#epoch;
    if (sameEpoch && event.seq <= this.seq) return 'known';
    if (!sameEpoch || event.seq !== this.seq + 1) return 'gap';
    this.#epoch = event.epoch;
    const before = event.kind === 'deletion' ? this.#without(event.target) : this.#events;
    this.#events = [...before, event];
    this.noteHead(event.seq);
    return 'added';
  }

  /** The events with the texts of a message and of its edits taken away. */
  #without(message: string | undefined): readonly EventFrame[] {
    return this.#events.map((event) =>
      event.id === message || event.target === message ? { ...event, body: '', erased: true } : event,
    );
  }

  reset(epoch: number): void {
    // In another history there may be nothing at all, which no further frame says.
    if (this.#epoch !== epoch) this.head = 0;
    this.#epoch = epoch;
    this.#events = [];
  }
}

/** All conversations this client may read. */
export class Transcripts {
  readonly #byId = new Map<string, Transcript>();

  get all(): readonly Transcript[] {
    return [...this.#byId.values()];
  }

  get(id: string): Transcript | undefined {
    return this.#byId.get(id);
  }

  /** Where to resume each conversation that has events here; of very many, the liveliest. */
  cursors(): Record<string, Cursor> {
    const known = this.all.flatMap(({ id, cursor, lastAt }) => (cursor ? [{ id, cursor, lastAt }] : []));
    known.sort((a, b) => (a.lastAt < b.lastAt ? 1 : -1));
    return Object.fromEntries(known.slice(0, MAX_CURSORS).map(({ id, cursor }) => [id, cursor]));
  }

  /** Conversations whose events are of another epoch than the server's. */
  outdated(epoch: number): readonly Transcript[] {
    return this.all.filter((transcript) => transcript.epoch !== undefined && transcript.epoch !== epoch);
  }

  announce(frame: ConversationFrame): Transcript {
    const transcript = this.#ensure(frame.conversation, frame.openedAt);
    transcript.openedAt = frame.openedAt;
    // The server's word replaces ours: after a restore its head may be lower than what was once seen.
    transcript.head = frame.head;
    transcript.contact = frame.contact;
    return transcript;
  }

  opened(frame: OpenedFrame): void {
    this.#ensure(frame.conversation, frame.openedAt);
  }

  append(event: EventFrame): Appended {
    return this.#ensure(event.conversation, event.at).append(event);
  }

  reset(conversation: string, epoch: number): void {
    this.#byId.get(conversation)?.reset(epoch);
  }

  #ensure(id: string, openedAt: string): Transcript {
    const known = this.#byId.get(id);
    if (known) return known;
    const transcript = new Transcript(id, openedAt);
    this.#byId.set(id, transcript);
    return transcript;
  }
}
