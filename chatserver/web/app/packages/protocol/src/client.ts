// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { backoff } from './backoff';
import { normaliseBody } from './body';
import { Alarm } from './clock';
import {
  PROTOCOL_VERSION,
  type AckFrame,
  type Attendance,
  type Contact,
  type ErrorFrame,
  type EventFrame,
  type HelloFrame,
  type Participant,
  type PresenceFrame,
  type ServerFrame,
  type WelcomeFrame,
} from './frames';
import { GapWatch } from './gaps';
import { Wanted } from './wanted';
import { Link, type LinkDeps, type LinkOwner, type LinkState } from './link';
import { Presence } from './presence';
import { Signals, type Others, type Signal } from './signals';
import { Outbox, type Change, type PendingMessage, type PendingOpening, type Target } from './outbox';
import { Transcripts, type Transcript } from './transcript';
import { RETRYABLE } from './transport';
import type { WakeSignal } from './wake';

export interface ClientDeps extends LinkDeps {
  readonly newId: () => string;
  readonly wakeSignal: WakeSignal;
  /** The visitor's resume token; agents have a cookie instead. */
  readonly token?: string;
}

export interface ConversationView {
  readonly id: string;
  readonly openedAt: string;
  readonly contact?: Contact;
  readonly events: readonly EventFrame[];
  /** False while events are known to be missing. */
  readonly complete: boolean;
  /** How far the other side is, and who of them types. */
  readonly others: Others;
  /** Who is known to be there or not: an agent hears of the visitor, a visitor of the agents who wrote. */
  readonly people: readonly Attendance[];
  /** Own messages, and changes of them, that are not among the events yet, oldest first. */
  readonly pending: readonly PendingMessage[];
}

export interface OpeningView extends PendingOpening {
  readonly pending: readonly PendingMessage[];
}

/** Everything a page needs to draw. A new object after every change. */
export interface Snapshot {
  readonly link: LinkState;
  /** Who we are; known after the first `welcome`. */
  readonly self?: Participant;
  /** Whether any agent is there; visitors only, once they were told. */
  readonly available?: boolean;
  /** How many other agents are there; agents only. */
  readonly colleagues: number;
  /** Oldest first. */
  readonly conversations: readonly ConversationView[];
  readonly openings: readonly OpeningView[];
}

/**
 * One chat client, a visitor's or an agent's. What is given to {@link open} and {@link send} is kept until the server
 * has it on disk, over any number of connections; what the server has arrives here exactly once and in order.
 */
export class ChatClient {
  readonly #deps: ClientDeps;
  readonly #link: Link;
  readonly #outbox = new Outbox();
  readonly #transcripts = new Transcripts();
  readonly #wanted = new Wanted();
  readonly #gaps: GapWatch;
  readonly #signals: Signals;
  readonly #presence = new Presence();
  readonly #flushing: Alarm;
  readonly #notifying: Alarm;
  readonly #listeners = new Set<() => void>();
  /** Refusals in a row of each frame that may yet succeed. */
  readonly #refusals = new Map<string, number>();
  #self: Participant | undefined;
  #stopWaking: (() => void) | undefined;
  #snapshot: Snapshot | undefined;

  constructor(deps: ClientDeps) {
    this.#deps = deps;
    this.#flushing = new Alarm(deps.clock);
    this.#notifying = new Alarm(deps.clock);
    this.#link = new Link(deps, this.#owner());
    this.#signals = new Signals({
      clock: deps.clock,
      send: (frame) => {
        if (this.#link.ready) this.#link.send(frame);
      },
      changed: () => {
        this.#changed();
      },
    });
    this.#gaps = new GapWatch(deps.clock, () => {
      this.#link.reconnect();
    });
  }

  /** Connects and stays connected until {@link stop}. Also resumes after a refusal, with everything still in hand. */
  start(): void {
    this.#stopWaking ??= this.#deps.wakeSignal(() => {
      this.#link.wake();
    });
    this.#link.start();
  }

  /** Ends the connection and every timer. */
  stop(): void {
    this.#stopWaking?.();
    this.#stopWaking = undefined;
    this.#link.stop();
    this.#flushing.clear();
    this.#gaps.clear();
    this.#signals.lost();
  }

  /** Calls the listener after changes, several at once where they come together. Answers with the way to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  snapshot(): Snapshot {
    this.#snapshot ??= this.#draw();
    return this.#snapshot;
  }

  /** Asks for a conversation. The answer is a name for it that {@link send} takes right away. */
  open(contact?: Contact): Target {
    const clientId = this.#deps.newId();
    this.#outbox.addOpening(clientId, contact);
    this.#outboxChanged();
    return { kind: 'opening', clientId };
  }

  /** Says something. Text without any visible character is not sent. */
  send(target: Target, text: string): void {
    const body = normaliseBody(text);
    if (body === '') return;
    this.#outbox.addMessage(this.#deps.newId(), target, body, this.#deps.clock.now());
    this.#outboxChanged();
  }

  /** Gives a message of one's own another text. Text without any visible character changes nothing. */
  edit(conversation: string, message: string, text: string): void {
    const body = normaliseBody(text);
    if (body === '') return;
    this.#change(conversation, { kind: 'edit', of: message }, body);
  }

  /** Takes a message of one's own away. */
  remove(conversation: string, message: string): void {
    this.#change(conversation, { kind: 'deletion', of: message }, '');
  }

  #change(conversation: string, change: Change, body: string): void {
    this.#outbox.addChange(this.#deps.newId(), conversation, change, body, this.#deps.clock.now());
    this.#outboxChanged();
  }

  /** Brings a conversation here that the server does not tell of by itself, an old one that was searched for. */
  show(conversation: string): void {
    if (this.#transcripts.get(conversation)) return;
    this.#wanted.add(conversation);
    this.#link.renew();
  }

  /** The user sees everything of a conversation that is here. */
  read(conversation: string): void {
    const transcript = this.#transcripts.get(conversation);
    if (transcript) this.#signals.read(conversation, transcript.seq);
  }

  /** The user writes in a conversation, or has stopped. */
  typing(conversation: string, typing: boolean): void {
    this.#signals.typing(conversation, typing);
  }

  /** Tries something that failed once more; being known by its client id, it cannot appear twice. */
  retry(clientId: string): void {
    this.#outbox.retry(clientId);
    this.#outboxChanged();
  }

  /** Gives up a message that failed. */
  discard(clientId: string): void {
    this.#outbox.discard(clientId);
    this.#outboxChanged();
  }

  #owner(): LinkOwner {
    return {
      hello: () => this.#hello(),
      welcomed: (frame) => {
        this.#welcomed(frame);
      },
      received: (frame) => {
        if (frame.type === 'presence') this.#presence.heard(frame);
        else if (frame.type === 'typing' || frame.type === 'receipt') this.#signals.heard(frame);
        else {
          this.#received(frame);
          return;
        }
        this.#changed();
      },
      lost: () => {
        this.#outbox.connectionLost();
        this.#signals.lost();
        this.#flushing.clear();
        this.#gaps.clear();
      },
      changed: () => {
        this.#changed();
      },
    };
  }

  #hello(): HelloFrame {
    const { token } = this.#deps;
    const cursors = { ...this.#wanted.cursors(), ...this.#transcripts.cursors() };
    return { type: 'hello', protocol: PROTOCOL_VERSION, ...(token !== undefined && { token }), cursors };
  }

  #welcomed(frame: WelcomeFrame): void {
    this.#self = frame.self;
    // A cursor that `hello` had no room for is not answered by a `reset`: the epoch tells as well.
    for (const { id } of this.#transcripts.outdated(frame.epoch)) this.#reset(id, frame.epoch);
    this.#signals.connected();
    this.#presence.connected();
    this.#outboxChanged();
    if (this.#wanted.welcomed(frame.epoch)) this.#link.renew();
  }

  #received(frame: Exclude<ServerFrame, Signal | PresenceFrame>): void {
    switch (frame.type) {
      case 'conversation':
        this.#wanted.came(frame.conversation);
        this.#observe(this.#transcripts.announce(frame), false);
        break;
      case 'event':
        this.#event(frame);
        break;
      case 'reset':
        this.#reset(frame.conversation, frame.epoch);
        break;
      case 'opened':
        this.#transcripts.opened(frame);
        this.#outbox.opened(frame.clientId, frame.conversation);
        break;
      case 'ack':
        this.#acknowledged(frame);
        break;
      case 'caught_up':
        this.#head(frame.conversation, frame.seq);
        break;
      case 'heartbeat':
        for (const [conversation, seq] of Object.entries(frame.heads)) this.#head(conversation, seq);
        break;
      case 'error':
        this.#refused(frame);
        break;
      case 'welcome':
      case 'drain':
        // The link's own business.
        break;
    }
    this.#outboxChanged();
  }

  #reset(conversation: string, epoch: number): void {
    this.#transcripts.reset(conversation, epoch);
    this.#signals.reset(conversation);
    this.#outbox.unacknowledge(conversation);
  }

  #event(frame: EventFrame): void {
    const appended = this.#transcripts.append(frame);
    if (appended === 'gap') {
      this.#link.reconnect();
      return;
    }
    if (frame.author.id === this.#self?.id) this.#outbox.confirmed(frame.clientId);
    this.#signals.spoke(frame.conversation, frame.author.id);
    this.#signals.received(frame.conversation, frame.seq);
    const transcript = this.#transcripts.get(frame.conversation);
    if (transcript) this.#observe(transcript, appended === 'added');
  }

  /** An acknowledged message has its place; a client that has that place already has the event. */
  #acknowledged(frame: AckFrame): void {
    this.#refusals.delete(frame.clientId);
    const transcript = this.#transcripts.get(frame.conversation);
    if (transcript && transcript.seq >= frame.seq) this.#outbox.confirmed(frame.clientId);
    else this.#outbox.acknowledged(frame.clientId);
    this.#head(frame.conversation, frame.seq);
  }

  #head(conversation: string, seq: number): void {
    const transcript = this.#transcripts.get(conversation);
    if (!transcript) return;
    transcript.noteHead(seq);
    this.#observe(transcript, false);
  }

  #observe(transcript: Transcript, progress: boolean): void {
    this.#gaps.observe(transcript.id, transcript.behind, progress);
  }

  #refused({ clientId, code, message, retryAfterMs }: ErrorFrame): void {
    if (clientId === undefined) return;
    if (!RETRYABLE.has(code)) {
      this.#refusals.delete(clientId);
      this.#outbox.refused(clientId, { code, message });
      return;
    }
    const refusals = this.#refusals.get(clientId) ?? 0;
    this.#refusals.set(clientId, refusals + 1);
    const delay = (retryAfterMs ?? 0) + backoff(refusals, this.#deps.random);
    this.#outbox.postponed(clientId, this.#deps.clock.now() + delay);
  }

  #outboxChanged(): void {
    this.#flush();
    this.#changed();
  }

  #flush(): void {
    this.#flushing.clear();
    if (!this.#link.ready) return;
    const now = this.#deps.clock.now();
    for (const frame of this.#outbox.takeDue(now)) this.#link.send(frame);
    const next = this.#outbox.nextDue();
    if (next === undefined) return;
    this.#flushing.set(next - now, () => {
      this.#outboxChanged();
    });
  }

  /** Listeners hear of a burst of frames once. */
  #changed(): void {
    this.#snapshot = undefined;
    this.#notifying.set(0, () => {
      for (const listener of this.#listeners) listener();
    });
  }

  #draw(): Snapshot {
    const messages = this.#outbox.messages;
    const openings = this.#outbox.openings.map((opening) => ({
      ...opening,
      pending: messages.filter(({ target }) => target.kind === 'opening' && target.clientId === opening.clientId),
    }));
    const conversations = this.#transcripts.all.map((transcript) => ({
      id: transcript.id,
      openedAt: transcript.openedAt,
      ...(transcript.contact && { contact: transcript.contact }),
      events: transcript.events,
      complete: !transcript.behind,
      others: this.#signals.othersIn(transcript.id, this.#self?.kind),
      people: this.#presence.peopleIn(transcript.id),
      pending: messages.filter(({ target }) => target.kind === 'conversation' && target.id === transcript.id),
    }));
    const self = this.#self && { self: this.#self };
    return { link: this.#link.state, ...self, ...this.#presence.anyone(), conversations, openings };
  }
}
