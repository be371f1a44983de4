// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { backoff } from './backoff';
import { Alarm, type Clock } from './clock';
import { decodeServerFrame, MalformedFrame } from './decode';
import type { ClientFrame, ErrorCode, ErrorFrame, HelloFrame, ServerFrame, WelcomeFrame } from './frames';
import type { Connection, Transport } from './transport';

/** A client that hears nothing for this long closes and reconnects. */
export const SILENCE_MS = 40_000;
/** From the start of a connection to `welcome`. */
export const WELCOME_TIMEOUT_MS = 15_000;
/** From a `ping` after waking up to any frame. */
export const PROBE_TIMEOUT_MS = 5_000;
/** A connection that held this long was a success: the next failure starts the back-off anew. */
export const STABLE_AFTER_MS = 10_000;

export type LinkState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online' }
  /** Not connected; tries again at `until`, in milliseconds since the Unix epoch. */
  | { readonly kind: 'waiting'; readonly until: number }
  /** The server will not have us as we are; trying again by itself is pointless. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

export interface LinkDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * Asked when a connection was refused before it opened, for browsers hide the reason. False means that the server no
   * longer knows us; unreachable counts as true.
   */
  readonly stillKnown?: () => Promise<boolean>;
}

/** Who uses the link. */
export interface LinkOwner {
  hello(): HelloFrame;
  welcomed(frame: WelcomeFrame): void;
  received(frame: ServerFrame): void;
  lost(): void;
  changed(): void;
}

const FATAL: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'forbidden']);
const FATAL_BEFORE_WELCOME: ReadonlySet<ErrorCode> = new Set([...FATAL, 'invalid_request', 'not_found', 'too_large']);

/** Keeps a connection to the chat server alive: back-off, silence, drain, waking up. Knows nothing of conversations. */
export class Link {
  readonly #deps: LinkDeps;
  readonly #owner: LinkOwner;
  readonly #deadline: Alarm;
  readonly #next: Alarm;
  #state: LinkState = { kind: 'stopped' };
  #connection: Connection | undefined;
  /** Tells the callbacks of the current connection from those of former ones. */
  #generation = 0;
  #failures = 0;
  #onlineSince = 0;
  /** When the connection was last known to live. */
  #heardAt = 0;
  #draining = false;
  /** The earliest moment the server wants to see us again. */
  #notBefore = 0;
  #refusal: ErrorFrame | undefined;

  constructor(deps: LinkDeps, owner: LinkOwner) {
    this.#deps = deps;
    this.#owner = owner;
    this.#deadline = new Alarm(deps.clock);
    this.#next = new Alarm(deps.clock);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Whether frames may be sent now. */
  get ready(): boolean {
    return this.#state.kind === 'online' && !this.#draining;
  }

  /** Connects, unless it already does. Also the way back from `refused`. */
  start(): void {
    if (this.#state.kind === 'stopped' || this.#state.kind === 'refused') this.#connect();
  }

  stop(): void {
    this.#hangUp();
    this.#owner.lost();
    this.#next.clear();
    this.#become({ kind: 'stopped' });
  }

  send(frame: ClientFrame): void {
    this.#connection?.send(JSON.stringify(frame));
  }

  /** Something missing cannot come on this connection any more: take another one. */
  reconnect(): void {
    if (this.#connection) this.#lost();
  }

  /** Says `hello` anew at once, on another connection. */
  renew(): void {
    if (!this.ready) return;
    this.#hangUp();
    this.#owner.lost();
    this.#connect();
  }

  /** The world changed (network, visibility): wait no longer, and do not trust a socket that slept. */
  wake(): void {
    if (this.#state.kind === 'waiting') {
      // Unless the server asked for patience: that is not the network's fault.
      if (this.#deps.clock.now() >= this.#notBefore) this.#connect();
    } else if (this.ready) {
      this.send({ type: 'ping' });
      this.#expectFrameWithin(PROBE_TIMEOUT_MS);
    }
  }

  #connect(): void {
    this.#next.clear();
    this.#generation += 1;
    const generation = this.#generation;
    let opened = false;
    const current = (act: () => void) => {
      if (generation === this.#generation) act();
    };
    this.#draining = false;
    this.#notBefore = 0;
    this.#refusal = undefined;
    this.#deadline.set(WELCOME_TIMEOUT_MS, () => {
      this.#lost();
    });
    this.#connection = this.#deps.transport({
      opened: () => {
        opened = true;
        current(() => {
          this.send(this.#owner.hello());
        });
      },
      received: (text) => {
        current(() => {
          this.#receive(text);
        });
      },
      answered: (text) => {
        current(() => {
          this.#answered(text);
        });
      },
      closed: () => {
        current(() => {
          this.#lost();
          if (!opened) void this.#askWhetherKnown();
        });
      },
    });
    this.#become({ kind: 'connecting' });
  }

  #receive(text: string): void {
    this.#heardAt = this.#deps.clock.now();
    const frame = this.#decode(text);
    if (this.#state.kind === 'online') this.#expectFrameWithin(SILENCE_MS);
    if (frame) this.#handle(frame);
  }

  /** Shows that the server is there, which is what a probe asks. The connection has the rest of its time. */
  #answered(text: string): void {
    if (this.#state.kind === 'online') {
      this.#expectFrameWithin(this.#heardAt + SILENCE_MS - this.#deps.clock.now());
    }
    const frame = this.#decode(text);
    if (frame) this.#handle(frame);
  }

  /** A server that does not speak the protocol is a broken connection. */
  #decode(text: string): ServerFrame | undefined {
    try {
      return decodeServerFrame(text);
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#lost();
      return undefined;
    }
  }

  #handle(frame: ServerFrame): void {
    if (frame.type === 'welcome') {
      this.#welcomed(frame);
    } else if (frame.type === 'drain') {
      this.#drain(frame.reconnectAfterMs);
    } else if (frame.type === 'error' && frame.clientId === undefined) {
      this.#failed(frame);
    } else {
      this.#owner.received(frame);
    }
  }

  #welcomed(frame: WelcomeFrame): void {
    this.#onlineSince = this.#deps.clock.now();
    this.#expectFrameWithin(SILENCE_MS);
    this.#become({ kind: 'online' });
    this.#owner.welcomed(frame);
  }

  /** The server adds its own randomness to the delay; ours keeps clients apart should it ever not. */
  #drain(reconnectAfterMs: number): void {
    const delay = reconnectAfterMs * (1 + this.#deps.random() / 4);
    this.#draining = true;
    this.#notBefore = this.#deps.clock.now() + delay;
    this.#next.set(delay, () => {
      this.#hangUp();
      this.#owner.lost();
      this.#connect();
    });
  }

  /** An error that answers no frame of ours is about the connection; the server closes it next. */
  #failed(frame: ErrorFrame): void {
    const fatal = this.#state.kind === 'online' ? FATAL : FATAL_BEFORE_WELCOME;
    if (fatal.has(frame.code)) this.#refusal = frame;
    this.#notBefore = this.#deps.clock.now() + (frame.retryAfterMs ?? 0);
    if (this.#refusal) this.#lost();
  }

  #expectFrameWithin(timeoutMs: number): void {
    this.#deadline.set(timeoutMs, () => {
      this.#lost();
    });
  }

  #lost(): void {
    const draining = this.#draining;
    const wasStable = this.#state.kind === 'online' && this.#onlineFor() >= STABLE_AFTER_MS;
    this.#hangUp();
    this.#owner.lost();
    if (this.#refusal) {
      const { code, message } = this.#refusal;
      this.#become({ kind: 'refused', code, message });
      return;
    }
    if (wasStable || draining) this.#failures = 0;
    this.#retryIn(draining ? 0 : backoff(this.#failures, this.#deps.random));
    this.#failures += 1;
  }

  #retryIn(delayMs: number): void {
    const now = this.#deps.clock.now();
    const until = Math.max(now + delayMs, this.#notBefore);
    this.#next.set(until - now, () => {
      this.#connect();
    });
    this.#become({ kind: 'waiting', until });
  }

  async #askWhetherKnown(): Promise<void> {
    if (!this.#deps.stillKnown || (await this.#deps.stillKnown())) return;
    if (this.#state.kind !== 'waiting' && this.#state.kind !== 'connecting') return;
    this.#hangUp();
    this.#next.clear();
    this.#become({ kind: 'refused', code: 'unauthenticated', message: 'the session has ended' });
  }

  /** Lets go of the connection; whatever it still says is not heard. */
  #hangUp(): void {
    this.#generation += 1;
    this.#deadline.clear();
    this.#connection?.close();
    this.#connection = undefined;
    this.#draining = false;
  }

  #onlineFor(): number {
    return this.#deps.clock.now() - this.#onlineSince;
  }

  #become(state: LinkState): void {
    this.#state = state;
    this.#owner.changed();
  }
}
