// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto';
import type {
  Attendance,
  Change,
  ClientFrame,
  Contact,
  Cursor,
  ErrorCode,
  EventFrame,
  Participant,
  ReceiptNotice,
  ServerFrame,
  SubmissionFrame,
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

export interface Conversation {
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
  /** Of how many conversations agents are told on arrival, besides those they have cursors for. */
  window = 200;
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

  /** Handles frames that come without a connection. Undefined when a fault breaks off before the answers. */
  post(self: Participant, frames: readonly ClientFrame[]): ServerFrame[] | undefined {
    const answers: ServerFrame[] = [];
    const cuts: number[] = [];
    const session = new Session(
      this,
      { send: (frame) => answers.push(frame), close: (code) => cuts.push(code) },
      undefined,
    );
    session.self = self;
    for (const frame of frames) session.receive(JSON.stringify(frame));
    return cuts.length > 0 ? undefined : answers;
  }

  disconnected(session: Session): void {
    if (this.#sessions.delete(session)) this.tellPresence();
  }

  /** Whether somebody has a connection, an agent if nobody is named. */
  present(id?: string): boolean {
    return [...this.#sessions].some(({ self }) => (id === undefined ? self?.kind === 'agent' : self?.id === id));
  }

  get agents(): readonly Participant[] {
    const agents = [...this.#sessions].flatMap(({ self }) => (self?.kind === 'agent' ? [self] : []));
    return [...new Map(agents.map((agent) => [agent.id, agent])).values()];
  }

  /** Everyone hears what changed about who is there. Without the grace of the real server: tests would wait for it. */
  tellPresence(): void {
    for (const session of this.#sessions) session.tellPresence();
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

  /** What a client is told of on arrival. */
  told(self: Participant, cursors: Readonly<Record<string, Cursor>>): readonly Conversation[] {
    const all = this.readable(self);
    if (self.kind === 'visitor') return all;
    const lastAt = ({ events, openedAt }: Conversation) => events.at(-1)?.at ?? openedAt;
    const recent = [...all].sort((a, b) => (lastAt(a) < lastAt(b) ? 1 : -1)).slice(0, this.window);
    return all.filter((conversation) => conversation.id in cursors || recent.includes(conversation));
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

  /** Commits a message or a change of one, or finds it committed. The second part says which. */
  commit(
    self: Participant,
    conversation: Conversation,
    clientId: string,
    body: string,
    change?: Change,
  ): [EventFrame, boolean] {
    const known = conversation.events.find((event) => event.author.id === self.id && event.clientId === clientId);
    if (known) return [known, false];
    const seq = conversation.events.length + 1;
    const at = new Date(this.#now()).toISOString();
    const place = { conversation: conversation.id, epoch: this.epoch, seq };
    const author = self.kind === 'visitor' ? { ...self, displayName: conversation.contact.name ?? '' } : self;
    const what = { kind: change?.kind ?? 'message', author, clientId, body, at, ...(change && { target: change.of }) };
    const event: EventFrame = { type: 'event', ...place, id: randomUUID(), ...what };
    if (change?.kind === 'deletion') conversation.events = erase(conversation.events, change.of);
    conversation.events.push(event);
    return [event, true];
  }

  fanOut(event: EventFrame): void {
    for (const session of this.#sessions) session.deliver(event);
    this.tellPresence();
  }

  /** Tells everyone else who reads the conversation. */
  mention(notice: TypingNotice | ReceiptNotice, from: Session): void {
    for (const session of this.#sessions) if (session !== from) session.deliver(notice);
  }
}

/** The events with the texts of a message and of its edits taken away. */
function erase(events: readonly EventFrame[], message: string): EventFrame[] {
  return events.map((event) =>
    event.id === message || event.target === message ? { ...event, body: '', erased: true } : event,
  );
}

/** One connection after its handshake. */
export class Session {
  readonly peer: Peer;
  self: Participant | undefined;
  readonly #engine: Engine;
  readonly #agent: Participant | undefined;
  #heads: Record<string, number> = {};
  #available: boolean | undefined;
  /** What was told of each, by conversation and id. */
  readonly #told = new Map<string, boolean>();

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

  tellPresence(): void {
    if (!this.self) return;
    const people = this.#attendances(this.self).filter(({ conversation = '', id, online }) => {
      const before = this.#told.get(`${conversation} ${id}`);
      this.#told.set(`${conversation} ${id}`, online);
      return before !== online && (before !== undefined || online || conversation !== '');
    });
    const available = this.self.kind === 'visitor' ? this.#engine.present() : undefined;
    const news = available === this.#available ? {} : { available };
    this.#available = available;
    if (people.length > 0 || 'available' in news) this.peer.send({ type: 'presence', people, ...news } as ServerFrame);
  }

  /** Whom this one may know of. */
  #attendances(self: Participant): Attendance[] {
    const engine = this.#engine;
    const ofConversations = engine.readable(self).flatMap(({ id: conversation, visitor, events }) => {
      const agents = new Set(events.flatMap(({ author }) => (author.kind === 'agent' ? [author.id] : [])));
      const kind = self.kind === 'agent' ? 'visitor' : 'agent';
      const ids = self.kind === 'agent' ? [visitor] : [...agents];
      return ids.map((id): Attendance => ({ conversation, kind, id, online: engine.present(id) }));
    });
    if (self.kind === 'visitor') return ofConversations;
    const gone = [...this.#told.keys()].filter((key) => key.startsWith(' ')).map((key) => key.slice(1));
    const others = new Set([...gone, ...engine.agents.map(({ id }) => id)]);
    others.delete(self.id);
    const colleagues = [...others].map((id): Attendance => ({ kind: 'agent', id, online: engine.present(id) }));
    return [...ofConversations, ...colleagues];
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
    // Nobody is told that they type themselves.
    if (frame.type === 'typing' && frame.author.id === this.self?.id) return;
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
    else if (frame.type === 'typing' || frame.type === 'receipt') this.#mention(this.self, frame);
    else this.#submit(this.self, frame, cutAfterCommit);
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
    for (const conversation of this.#engine.told(self, cursors)) this.#catchUp(conversation, cursors[conversation.id]);
    this.#engine.tellPresence();
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
    this.#engine.tellPresence();
  }

  #submit(self: Participant, frame: SubmissionFrame, cutAfterCommit: boolean): void {
    const conversation = this.#engine.readable(self).find(({ id }) => id === frame.conversation);
    const code = conversation ? refusalOf(self, conversation, frame) : 'not_found';
    if (conversation && code === undefined) this.#commit(self, conversation, frame, cutAfterCommit);
    else if (code !== undefined) this.#error(frame, code);
  }

  #commit(self: Participant, conversation: Conversation, frame: SubmissionFrame, cutAfterCommit: boolean): void {
    const body = frame.type === 'delete' ? '' : frame.body;
    const [event, added] = this.#engine.commit(self, conversation, frame.clientId, body, changeOf(frame));
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

function changeOf(frame: SubmissionFrame): Change | undefined {
  if (frame.type === 'send') return undefined;
  return { kind: frame.type === 'edit' ? 'edit' : 'deletion', of: frame.target };
}

/** Why an entry may not be made, if it may not. A resend was allowed before. */
function refusalOf(self: Participant, { events }: Conversation, frame: SubmissionFrame): ErrorCode | undefined {
  if (events.some(({ author, clientId }) => author.id === self.id && clientId === frame.clientId)) return undefined;
  const length = frame.type === 'delete' ? 1 : Array.from(frame.body).length;
  if (length < 1 || length > MAX_BODY_CHARACTERS) return 'invalid_request';
  if (frame.type === 'send') return undefined;
  const message = events.find(({ id, kind, erased }) => id === frame.target && kind === 'message' && erased !== true);
  if (!message) return 'not_found';
  return message.author.id === self.id ? undefined : 'forbidden';
}
