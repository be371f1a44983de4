// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto';
import type {
  ClientFrame,
  Contact,
  ErrorCode,
  EventFrame,
  Participant,
  ReceiptNotice,
  ServerFrame,
  TypingNotice,
} from '@chattenant/protocol';
import { MAX_BODY_CHARACTERS, PROTOCOL_VERSION } from '@chattenant/protocol';

/** The server's end of one connection. */
export interface Peer {
  send(frame: ServerFrame): void;
  close(code: number): void;
}

/** What a test wants to happen to a frame instead of its usual treatment. */
export type Fault =
  | 'swallow'
  | 'cut'
  | 'cut-after-commit'
  | { readonly code: ErrorCode; readonly retryAfterMs?: number };

interface Conversation {
  readonly id: string;
  readonly visitor: string;
  readonly openedAt: string;
  readonly contact: Contact;
  events: EventFrame[];
  readonly receipts: Map<string, ReceiptNotice>;
}

export interface EngineOptions {
  readonly now?: () => number;
  readonly heartbeatSeconds?: number;
}

/** The protocol's server in memory: what docs/protocol.md says and nothing else, plus faults on request. */
export class Engine {
  readonly heartbeatSeconds: number;
  epoch = 1;
  /** Asked before every frame of a client. */
  fault: (frame: ClientFrame, self: Participant | undefined) => Fault | undefined = () => undefined;
  /** Frames the clients sent, for assertions. */
  readonly seen: ClientFrame[] = [];
  readonly #now: () => number;
  readonly #visitors = new Map<string, Participant>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #opened = new Map<string, string>();
  readonly #sessions = new Set<Session>();

  constructor({ now = Date.now, heartbeatSeconds = 15 }: EngineOptions = {}) {
    this.#now = now;
    this.heartbeatSeconds = heartbeatSeconds;
  }

  newVisitor(): { visitor: string; token: string } {
    const visitor: Participant = { kind: 'visitor', id: randomUUID(), displayName: '' };
    const token = randomUUID();
    this.#visitors.set(token, visitor);
    return { visitor: visitor.id, token };
  }

  visitorOf(token: string | undefined): Participant | undefined {
    return token === undefined ? undefined : this.#visitors.get(token);
  }

  /** Visitors' tokens are worth nothing from now on. */
  forgetVisitors(): void {
    this.#visitors.clear();
  }

  get conversations(): readonly Conversation[] {
    return [...this.#conversations.values()];
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** A new connection; agents arrive with an identity, visitors get theirs from `hello`. */
  connect(peer: Peer, agent?: Participant): Session {
    const session = new Session(this, peer, agent);
    this.#sessions.add(session);
    return session;
  }

  disconnected(session: Session): void {
    this.#sessions.delete(session);
  }

  /** Ends connections, as a crash or a sign-out would. */
  drop(code = 1006, whose: (self: Participant | undefined) => boolean = () => true): void {
    for (const session of [...this.#sessions]) if (whose(session.self)) session.close(code);
  }

  drain(reconnectAfterMs: number): void {
    for (const session of this.#sessions) session.peer.send({ type: 'drain', reconnectAfterMs });
  }

  heartbeat(): void {
    for (const session of this.#sessions) session.heartbeat();
  }

  /** Back to an earlier state: only the first `keep` events of each conversation, in a new epoch. */
  restore(keep: number): void {
    this.epoch += 1;
    for (const conversation of this.#conversations.values()) {
      const kept = conversation.events.slice(0, keep);
      conversation.events = kept.map((event) => ({ ...event, epoch: this.epoch }));
    }
    this.drop();
  }

  readable(self: Participant): readonly Conversation[] {
    return this.conversations.filter(({ visitor }) => self.kind === 'agent' || visitor === self.id);
  }

  open(self: Participant, clientId: string, contact: Contact = {}): Conversation {
    const key = `${self.id} ${clientId}`;
    const known = this.#opened.get(key) ?? this.readable(self)[0]?.id;
    const existing = known === undefined ? undefined : this.#conversations.get(known);
    const openedAt = new Date(this.#now()).toISOString();
    const fresh = { id: randomUUID(), visitor: self.id, openedAt, contact, events: [], receipts: new Map() };
    const conversation: Conversation = existing ?? fresh;
    this.#opened.set(key, conversation.id);
    this.#conversations.set(conversation.id, conversation);
    if (!existing) for (const session of this.#sessions) session.announce(conversation);
    return conversation;
  }

  /** Commits a message, or finds it committed. The second part says which. */
  commit(self: Participant, conversation: Conversation, clientId: string, body: string): [EventFrame, boolean] {
    const known = conversation.events.find((event) => event.author.id === self.id && event.clientId === clientId);
    if (known) return [known, false];
    const seq = conversation.events.length + 1;
    const at = new Date(this.#now()).toISOString();
    const place = { conversation: conversation.id, epoch: this.epoch, seq };
    const author = self.kind === 'visitor' ? { ...self, displayName: conversation.contact.name ?? '' } : self;
    const what = { kind: 'message', author, clientId, body, at };
    const event: EventFrame = { type: 'event', ...place, id: randomUUID(), ...what };
    conversation.events.push(event);
    return [event, true];
  }

  fanOut(event: EventFrame): void {
    for (const session of this.#sessions) session.deliver(event);
  }

  /** Tells everyone else who reads the conversation. */
  mention(notice: TypingNotice | ReceiptNotice, from: Session): void {
    for (const session of this.#sessions) if (session !== from) session.deliver(notice);
  }
}

/** One connection after its handshake. */
export class Session {
  readonly peer: Peer;
  self: Participant | undefined;
  readonly #engine: Engine;
  readonly #agent: Participant | undefined;
  #heads: Record<string, number> = {};

  constructor(engine: Engine, peer: Peer, agent: Participant | undefined) {
    this.#engine = engine;
    this.peer = peer;
    this.#agent = agent;
  }

  close(code: number): void {
    this.#engine.disconnected(this);
    this.peer.close(code);
  }

  closed(): void {
    this.#engine.disconnected(this);
  }

  receive(text: string): void {
    const frame = JSON.parse(text) as ClientFrame;
    this.#engine.seen.push(frame);
    const fault = this.#engine.fault(frame, this.self);
    if (fault === 'swallow') return;
    if (fault === 'cut') this.close(1006);
    else if (typeof fault === 'object') this.#error(frame, fault.code, fault.retryAfterMs);
    else this.#handle(frame, fault === 'cut-after-commit');
  }

  announce(conversation: Conversation): void {
    if (!this.#reads(conversation)) return;
    const { id, openedAt, events, contact } = conversation;
    const head = events.length;
    const seen = this.self?.kind === 'agent' ? { contact } : {};
    this.peer.send({ type: 'conversation', conversation: id, openedAt, head, ...seen });
  }

  deliver(frame: EventFrame | TypingNotice | ReceiptNotice): void {
    const conversation = this.#engine.conversations.find(({ id }) => id === frame.conversation);
    if (conversation && this.#reads(conversation)) this.peer.send(frame);
  }

  heartbeat(): void {
    if (!this.self) return;
    const now = Object.fromEntries(this.#engine.readable(this.self).map(({ id, events }) => [id, events.length]));
    const changed = Object.entries(now).filter(([id, head]) => this.#heads[id] !== head);
    this.#heads = now;
    this.peer.send({ type: 'heartbeat', heads: Object.fromEntries(changed) });
  }

  #reads(conversation: Conversation): boolean {
    return this.self?.kind === 'agent' || this.self?.id === conversation.visitor;
  }

  #handle(frame: ClientFrame, cutAfterCommit: boolean): void {
    if (frame.type === 'hello') this.#hello(frame);
    else if (!this.self) this.#error(frame, 'unauthenticated');
    else if (frame.type === 'ping') this.heartbeat();
    else if (frame.type === 'open') this.#open(this.self, frame);
    else if (frame.type === 'send') this.#send(this.self, frame, cutAfterCommit);
    else this.#mention(this.self, frame);
  }

  #mention({ kind, id }: Participant, frame: Extract<ClientFrame, { type: 'typing' | 'receipt' }>): void {
    if (frame.type === 'typing') {
      this.#engine.mention({ ...frame, author: { kind, id } }, this);
      return;
    }
    const notice = { ...frame, reader: { kind, id } };
    this.#engine.conversations.find((conversation) => conversation.id === frame.conversation)?.receipts.set(id, notice);
    this.#engine.mention(notice, this);
  }

  #hello({ token, cursors }: Extract<ClientFrame, { type: 'hello' }>): void {
    const self = this.#agent ?? this.#engine.visitorOf(token);
    if (!self) {
      this.peer.send({ type: 'error', code: 'unauthenticated', message: 'unknown or expired' });
      this.close(1008);
      return;
    }
    this.self = self;
    const { epoch, heartbeatSeconds } = this.#engine;
    this.peer.send({ type: 'welcome', protocol: PROTOCOL_VERSION, self, epoch, heartbeatSeconds });
    for (const conversation of this.#engine.readable(self)) this.#catchUp(conversation, cursors[conversation.id]);
  }

  #catchUp(conversation: Conversation, cursor: { epoch: number; seq: number } | undefined): void {
    const { id, events, receipts } = conversation;
    const { epoch } = this.#engine;
    this.announce(conversation);
    const resumes = cursor?.epoch === epoch && cursor.seq <= events.length;
    if (cursor && !resumes) this.peer.send({ type: 'reset', conversation: id, epoch });
    for (const event of events.slice(resumes ? cursor.seq : 0)) this.peer.send(event);
    this.peer.send({ type: 'caught_up', conversation: id, epoch, seq: events.length });
    for (const receipt of receipts.values()) this.peer.send(receipt);
  }

  #open(self: Participant, { clientId, contact }: Extract<ClientFrame, { type: 'open' }>): void {
    const { id, openedAt } = this.#engine.open(self, clientId, contact);
    this.peer.send({ type: 'opened', clientId, conversation: id, openedAt });
  }

  #send(self: Participant, frame: Extract<ClientFrame, { type: 'send' }>, cutAfterCommit: boolean): void {
    const conversation = this.#engine.readable(self).find(({ id }) => id === frame.conversation);
    const length = Array.from(frame.body).length;
    if (!conversation) {
      this.#error(frame, 'not_found');
    } else if (length < 1 || length > MAX_BODY_CHARACTERS) {
      this.#error(frame, 'invalid_request');
    } else {
      this.#commit(self, conversation, frame, cutAfterCommit);
    }
  }

  #commit(
    self: Participant,
    conversation: Conversation,
    { clientId, body }: Extract<ClientFrame, { type: 'send' }>,
    cutAfterCommit: boolean,
  ): void {
    const [event, added] = this.#engine.commit(self, conversation, clientId, body);
    if (cutAfterCommit) this.close(1006);
    else this.peer.send({ ...event, type: 'ack' });
    if (added) this.#engine.fanOut(event);
  }

  #error(frame: ClientFrame, code: ErrorCode, retryAfterMs?: number): void {
    const about = 'clientId' in frame ? { clientId: frame.clientId } : {};
    const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.peer.send({ type: 'error', code, message: 'refused', ...about, ...retry });
  }
}
