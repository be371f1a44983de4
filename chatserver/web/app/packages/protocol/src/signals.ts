// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Alarm, type Clock } from './clock';
import type { ClientFrame, Reference, ReceiptNotice, TypingNotice } from './frames';

/** How long somebody counts as typing after they last said so. */
export const TYPING_HOLDS_MS = 6_000;
/** How often a client that goes on typing says so. */
export const TYPING_REPEAT_MS = 3_000;
/** Receipts of a burst of events go together. */
export const RECEIPT_DELAY_MS = 250;

/** What the server says of the others. */
export type Signal = ReceiptNotice | TypingNotice;

interface Progress {
  readonly delivered: number;
  readonly read: number;
}

interface Writer {
  readonly author: Reference;
  readonly until: number;
}

/** What is known of the others in one conversation. */
export interface Others {
  /** Up to here one of the other side has received everything. */
  readonly delivered: number;
  /** Up to here one of the other side has read everything. */
  readonly read: number;
  readonly typing: readonly Reference[];
}

export interface SignalsDeps {
  readonly clock: Clock;
  /** Sends now or not at all. */
  readonly send: (frame: ClientFrame) => void;
  readonly changed: () => void;
}

const NOTHING: Progress = { delivered: 0, read: 0 };

const grown = (one: Progress, other: Progress): Progress => ({
  delivered: Math.max(one.delivered, other.delivered),
  read: Math.max(one.read, other.read),
});

/** What has no place in a conversation's order: who types, and how far everybody has received and read. */
export class Signals {
  readonly #deps: SignalsDeps;
  readonly #own = new Map<string, Progress>();
  readonly #told = new Map<string, Progress>();
  readonly #receipts = new Map<string, Map<string, Progress & { readonly reader: Reference }>>();
  readonly #writers = new Map<string, Map<string, Writer>>();
  readonly #telling: Alarm;
  readonly #expiring: Alarm;
  readonly #resting: Alarm;
  #writing: { readonly conversation: string; readonly saidAt: number } | undefined;

  constructor(deps: SignalsDeps) {
    this.#deps = deps;
    this.#telling = new Alarm(deps.clock);
    this.#expiring = new Alarm(deps.clock);
    this.#resting = new Alarm(deps.clock);
  }

  /** The server took a new connection: it is told everything again. */
  connected(): void {
    this.#told.clear();
    this.#tellSoon();
  }

  /** Without a connection nobody is known to type, and nothing can be told. */
  lost(): void {
    this.#writers.clear();
    this.#writing = undefined;
    for (const alarm of [this.#telling, this.#expiring, this.#resting]) alarm.clear();
  }

  /** The conversation's numbers begin anew. */
  reset(conversation: string): void {
    this.#own.delete(conversation);
    this.#told.delete(conversation);
    this.#receipts.delete(conversation);
  }

  /** Everything up to `seq` has arrived here. */
  received(conversation: string, seq: number): void {
    this.#grow(conversation, { delivered: seq, read: 0 });
  }

  /** The user has seen everything up to `seq`. */
  read(conversation: string, seq: number): void {
    this.#grow(conversation, { delivered: seq, read: seq });
  }

  /** The user writes, or has stopped. Said once in a while, and taken back when they rest. */
  typing(conversation: string, typing: boolean): void {
    if (!typing) {
      if (this.#writing?.conversation === conversation) this.#rest();
      return;
    }
    this.#resting.set(TYPING_HOLDS_MS, () => {
      this.#rest();
    });
    const now = this.#deps.clock.now();
    const said = this.#writing?.conversation === conversation ? this.#writing.saidAt : -Infinity;
    if (now - said < TYPING_REPEAT_MS) return;
    this.#writing = { conversation, saidAt: now };
    this.#deps.send({ type: 'typing', conversation, typing: true });
  }

  heard(frame: Signal): void {
    if (frame.type === 'receipt') this.#heardReceipt(frame);
    else this.#heardTyping(frame);
  }

  #heardReceipt({ conversation, reader, delivered, read }: ReceiptNotice): void {
    const known = this.#receipts.get(conversation) ?? new Map<string, Progress & { reader: Reference }>();
    const before = known.get(reader.id) ?? NOTHING;
    known.set(reader.id, { reader, ...grown(before, { delivered, read }) });
    this.#receipts.set(conversation, known);
  }

  #heardTyping({ conversation, author, typing }: TypingNotice): void {
    const writers = this.#writers.get(conversation) ?? new Map<string, Writer>();
    if (typing) writers.set(author.id, { author, until: this.#deps.clock.now() + TYPING_HOLDS_MS });
    else writers.delete(author.id);
    this.#writers.set(conversation, writers);
    this.#expireLater();
  }

  /** What somebody said is no longer being written. */
  spoke(conversation: string, author: string): void {
    this.#writers.get(conversation)?.delete(author);
  }

  /** What is known of the other side, which is whoever is not of `kind`. */
  othersIn(conversation: string, kind: Reference['kind'] | undefined): Others {
    const progress = [...(this.#receipts.get(conversation)?.values() ?? [])]
      .filter(({ reader }) => reader.kind !== kind)
      .reduce<Progress>(grown, NOTHING);
    const now = this.#deps.clock.now();
    const writers = [...(this.#writers.get(conversation)?.values() ?? [])].filter(({ until }) => until > now);
    return { delivered: progress.delivered, read: progress.read, typing: writers.map(({ author }) => author) };
  }

  #grow(conversation: string, progress: Progress): void {
    const before = this.#own.get(conversation) ?? NOTHING;
    const after = grown(before, progress);
    if (after.delivered === before.delivered && after.read === before.read) return;
    this.#own.set(conversation, after);
    this.#tellSoon();
  }

  #tellSoon(): void {
    this.#telling.set(RECEIPT_DELAY_MS, () => {
      for (const [conversation, own] of this.#own) this.#tell(conversation, own);
    });
  }

  #tell(conversation: string, own: Progress): void {
    const told = this.#told.get(conversation) ?? NOTHING;
    if (own.delivered <= told.delivered && own.read <= told.read) return;
    this.#told.set(conversation, own);
    this.#deps.send({ type: 'receipt', conversation, ...own });
  }

  #rest(): void {
    this.#resting.clear();
    if (this.#writing) this.#deps.send({ type: 'typing', conversation: this.#writing.conversation, typing: false });
    this.#writing = undefined;
  }

  #expireLater(): void {
    this.#expiring.set(TYPING_HOLDS_MS, () => {
      this.#deps.changed();
    });
  }
}
