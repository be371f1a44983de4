// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import {
  ApiError,
  type AgentSession,
  type Api,
  type ChatClient,
  type Info,
  type SearchAnswer,
  type SearchRequest,
  type Snapshot,
} from '@chattenant/protocol';

/** What the console shows. */
export type View =
  | { readonly kind: 'checking' }
  /** The chat server does not answer. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'signedOut'; readonly ended: boolean }
  | { readonly kind: 'invited' }
  | ({ readonly kind: 'signedIn'; readonly snapshot: Snapshot } & Seat);

export interface DeskState {
  readonly info?: Info;
  readonly view: View;
  readonly busy: boolean;
  readonly problem?: ApiError;
}

export interface DeskDeps {
  readonly api: Api;
  /** A client for the signed-in agent, not yet started; `stillKnown` asks whether the session lives. */
  readonly connect: (stillKnown: () => Promise<boolean>) => ChatClient;
}

interface Seat {
  readonly agent: AgentSession;
  readonly client: ChatClient;
}

/** The agent's side of the console: who is signed in, and their client. */
export class Desk {
  readonly #deps: DeskDeps;
  readonly #listeners = new Set<() => void>();
  #info: Info | undefined;
  #phase: View['kind'] = 'checking';
  #invitation: string | undefined;
  /** Kept when the session ends by itself: after signing in again the agent goes on where they were. */
  #seat: Seat | undefined;
  #ended = false;
  #busy = false;
  #problem: ApiError | undefined;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  snapshot(): DeskState {
    return {
      ...(this.#info && { info: this.#info }),
      view: this.#view(),
      busy: this.#busy,
      ...(this.#problem && { problem: this.#problem }),
    };
  }

  /** Finds out who is signed in, unless the agent came with an invitation. */
  async load(invitation?: string): Promise<void> {
    this.#become('checking');
    try {
      this.#info = await this.#deps.api.info();
      if (invitation === undefined) this.#seatAgent(await this.#deps.api.currentAgent());
      else this.invite(invitation);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#become(error.code === 'unauthenticated' ? 'signedOut' : 'unavailable');
    }
  }

  invite(invitation: string): void {
    this.#invitation = invitation;
    this.#problem = undefined;
    this.#become('invited');
  }

  signIn(email: string, password: string): Promise<void> {
    return this.#attempt(async () => {
      this.#seatAgent(await this.#deps.api.signIn(email, password));
    });
  }

  redeem(password: string): Promise<void> {
    return this.#attempt(async () => {
      this.#seatAgent(await this.#deps.api.redeemInvitation(this.#invitation ?? '', password));
      this.#invitation = undefined;
    });
  }

  search(request: SearchRequest): Promise<SearchAnswer> {
    return this.#deps.api.search(request);
  }

  signOut(): Promise<void> {
    return this.#attempt(async () => {
      await this.#deps.api.signOut();
      this.#leave();
      this.#become('signedOut');
    });
  }

  /** Runs one request of the agent's, and keeps what went wrong for the page to say. */
  async #attempt(act: () => Promise<void>): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem = undefined;
    this.#changed();
    try {
      await act();
      this.#ended = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem = error;
    }
    this.#busy = false;
    this.#noticeEnd();
    this.#changed();
  }

  #seatAgent(agent: AgentSession): void {
    // Someone else sits down: they get nothing of what the former agent had open.
    if (this.#seat?.agent.agent !== agent.agent) this.#leave();
    const client = this.#seat?.client ?? this.#connect();
    this.#seat = { agent, client };
    client.start();
    this.#become('signedIn');
  }

  #connect(): ChatClient {
    const client = this.#deps.connect(() => this.#stillKnown());
    client.subscribe(() => {
      this.#noticeEnd();
      this.#changed();
    });
    return client;
  }

  /** The server ended the session. While signing out that is what was asked for. */
  #noticeEnd(): void {
    if (this.#phase !== 'signedIn' || this.#busy) return;
    if (this.#seat?.client.snapshot().link.kind !== 'refused') return;
    this.#ended = true;
    this.#phase = 'signedOut';
  }

  async #stillKnown(): Promise<boolean> {
    try {
      await this.#deps.api.currentAgent();
      return true;
    } catch (error) {
      return !(error instanceof ApiError && error.code === 'unauthenticated');
    }
  }

  #leave(): void {
    this.#seat?.client.stop();
    this.#seat = undefined;
  }

  #view(): View {
    if (this.#phase === 'signedOut') return { kind: 'signedOut', ended: this.#ended };
    if (this.#phase === 'signedIn' && this.#seat) {
      return { kind: 'signedIn', ...this.#seat, snapshot: this.#seat.client.snapshot() };
    }
    return { kind: this.#phase === 'signedIn' ? 'checking' : this.#phase };
  }

  #become(phase: View['kind']): void {
    this.#phase = phase;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
