// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import {
  Alarm,
  ApiError,
  type Api,
  type ChatClient,
  type Clock,
  type Contact,
  type ConversationView,
  type Info,
  type OpeningView,
  type Snapshot,
  type Target,
} from '@chattenant/protocol';
import type { TokenStore } from './token';

/** How long a resumed visitor's conversation may take to show up once connected, in milliseconds. */
export const RESUME_GRACE_MS = 3_000;

export interface FirstWords {
  readonly contact?: Contact;
  readonly body: string;
}

/** What the panel shows. */
export type View =
  | { readonly kind: 'loading' }
  /** The chat server does not answer. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'start'; readonly busy: boolean; readonly ended: boolean; readonly problem?: ApiError }
  | { readonly kind: 'chat'; readonly snapshot: Snapshot; readonly thread: ConversationView | OpeningView | undefined };

export interface PanelState {
  readonly info?: Info;
  readonly view: View;
}

export interface PanelDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly tokens: TokenStore;
  /** A client for the visitor with this token, not yet started. */
  readonly connect: (token: string) => ChatClient;
}

/** The visitor's side of one panel: from the first look, which asks for no identity, to the conversation. */
export class Panel {
  readonly #deps: PanelDeps;
  readonly #grace: Alarm;
  readonly #listeners = new Set<() => void>();
  #info: Info | undefined;
  #infoFailed = false;
  #client: ChatClient | undefined;
  #token: string | undefined;
  #busy = false;
  /** A former chat could not be resumed. */
  #ended = false;
  #problem: ApiError | undefined;
  #resuming = false;

  constructor(deps: PanelDeps) {
    this.#deps = deps;
    this.#grace = new Alarm(deps.clock);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  snapshot(): PanelState {
    return { ...(this.#info && { info: this.#info }), view: this.#view() };
  }

  /** Asks who answers here and where data is kept, and resumes the visit's conversation if there is one. */
  async load(): Promise<void> {
    this.#infoFailed = false;
    this.#changed();
    try {
      this.#info = await this.#deps.api.info();
      const token = this.#deps.tokens.load();
      if (token !== undefined && !this.#client) this.#resume(token);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#infoFailed = true;
    }
    this.#changed();
  }

  /** Asks again whether anyone is there, which nobody else says before the first word. Not knowing changes nothing. */
  async look(): Promise<void> {
    if (!this.#info || this.#client) return;
    try {
      this.#info = await this.#deps.api.info();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    this.#changed();
  }

  /** The visitor speaks for the first time: only now do they get an identity. */
  async begin({ contact, body }: FirstWords): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem = undefined;
    this.#changed();
    try {
      const client = this.#client ?? this.#attach((await this.#deps.api.startVisitor()).token);
      client.send(client.open(contact), body);
      this.#ended = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem = error;
    }
    this.#busy = false;
    this.#changed();
  }

  say(body: string): void {
    const thread = this.#client && threadOf(this.#client.snapshot());
    if (thread) this.#client?.send(targetOf(thread), body);
  }

  /** The visitor sees what is there. */
  read(): void {
    const thread = this.#client && threadOf(this.#client.snapshot());
    if (thread && 'id' in thread) this.#client?.read(thread.id);
  }

  /** The visitor writes, or has stopped. */
  typing(typing: boolean): void {
    const thread = this.#client && threadOf(this.#client.snapshot());
    if (thread && 'id' in thread) this.#client?.typing(thread.id, typing);
  }

  edit(message: string, body: string): void {
    const thread = this.#client && threadOf(this.#client.snapshot());
    if (thread && 'id' in thread) this.#client?.edit(thread.id, message, body);
  }

  remove(message: string): void {
    const thread = this.#client && threadOf(this.#client.snapshot());
    if (thread && 'id' in thread) this.#client?.remove(thread.id, message);
  }

  retry(clientId: string): void {
    this.#client?.retry(clientId);
  }

  discard(clientId: string): void {
    this.#client?.discard(clientId);
  }

  /** Leaves a conversation that cannot go on. */
  startOver(): void {
    this.#forget();
    this.#changed();
  }

  #resume(token: string): void {
    this.#resuming = true;
    this.#attach(token);
  }

  #attach(token: string): ChatClient {
    const client = this.#deps.connect(token);
    this.#token = token;
    this.#client = client;
    client.subscribe(() => {
      if (client === this.#client) this.#clientChanged(client.snapshot());
    });
    client.start();
    return client;
  }

  #clientChanged(snapshot: Snapshot): void {
    if (snapshot.conversations.length > 0) {
      this.#resuming = false;
      if (this.#token !== undefined) this.#deps.tokens.save(this.#token);
    }
    if (snapshot.link.kind === 'refused') this.#refused();
    else if (this.#resuming && snapshot.link.kind === 'online') this.#waitForConversation();
    this.#changed();
  }

  /** The token is worth nothing any more. What is on the screen stays; with nothing there, a new chat may begin. */
  #refused(): void {
    this.#deps.tokens.clear();
    if (!this.#resuming) return;
    this.#forget();
    this.#ended = true;
  }

  #waitForConversation(): void {
    this.#grace.set(RESUME_GRACE_MS, () => {
      this.#resuming = false;
      this.#changed();
    });
  }

  #forget(): void {
    this.#client?.stop();
    this.#client = undefined;
    this.#token = undefined;
    this.#resuming = false;
    this.#grace.clear();
    this.#deps.tokens.clear();
  }

  #view(): View {
    if (!this.#info) return { kind: this.#infoFailed ? 'unavailable' : 'loading' };
    const snapshot = this.#client?.snapshot();
    const thread = snapshot && threadOf(snapshot);
    if (snapshot && (thread || this.#resuming)) return { kind: 'chat', snapshot, thread };
    return { kind: 'start', busy: this.#busy, ended: this.#ended, ...(this.#problem && { problem: this.#problem }) };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The conversation to show: a visitor has one at a time. */
function threadOf({ conversations, openings }: Snapshot): ConversationView | OpeningView | undefined {
  return openings.at(-1) ?? conversations.at(-1);
}

function targetOf(thread: ConversationView | OpeningView): Target {
  return 'id' in thread ? { kind: 'conversation', id: thread.id } : { kind: 'opening', clientId: thread.clientId };
}
