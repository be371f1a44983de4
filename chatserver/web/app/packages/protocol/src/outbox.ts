// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientFrame, Contact, ErrorCode, SubmissionFrame } from './frames';

/** How long a frame may stay unanswered on a live connection before it is sent again with the same client id. */
export const ANSWER_TIMEOUT_MS = 10_000;

/** Where a message goes: a conversation, or one that is only being opened, named by the opening's client id. */
export type Target =
  | { readonly kind: 'conversation'; readonly id: string }
  | { readonly kind: 'opening'; readonly clientId: string };

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** queued: to be sent; sent: on its way; acknowledged: durable, its event not here yet; failed: refused for good. */
export type PendingState = 'queued' | 'sent' | 'acknowledged' | 'failed';

/** What an entry does to a message of ours that is an event already; `of` is its id. */
export interface Change {
  readonly kind: 'edit' | 'deletion';
  readonly of: string;
}

/** A message of ours, or a change of one, whose event has not come back yet. */
export interface PendingMessage {
  readonly clientId: string;
  readonly target: Target;
  /** The text, the new one if it is an edit, empty if it is a deletion. */
  readonly body: string;
  /** Set if this is no message of its own. */
  readonly change?: Change;
  /** Milliseconds since the Unix epoch. */
  readonly writtenAt: number;
  readonly state: PendingState;
  /** Set when failed. */
  readonly failure?: Failure;
}

/** A conversation asked for and not yet answered. */
export interface PendingOpening {
  readonly clientId: string;
  readonly contact?: Contact;
  readonly state: Exclude<PendingState, 'acknowledged'>;
  /** Set when failed. */
  readonly failure?: Failure;
}

interface Attempt<T> {
  item: T;
  /** A queued frame goes out, and a sent one goes out again, when this moment has come. */
  dueAt: number;
}

/**
 * What this client said and the server has not confirmed. At most one message or change per conversation is on its way:
 * the order in which someone wrote survives refusals, time-outs and reconnects.
 */
export class Outbox {
  readonly #openings = new Map<string, Attempt<PendingOpening>>();
  readonly #messages = new Map<string, Attempt<PendingMessage>>();

  get openings(): readonly PendingOpening[] {
    return [...this.#openings.values()].map(({ item }) => item);
  }

  get messages(): readonly PendingMessage[] {
    return [...this.#messages.values()].map(({ item }) => item);
  }

  addOpening(clientId: string, contact: Contact | undefined): void {
    const item: PendingOpening = { clientId, state: 'queued', ...(contact && { contact }) };
    this.#openings.set(clientId, { item, dueAt: 0 });
  }

  addMessage(clientId: string, target: Target, body: string, writtenAt: number): void {
    this.#messages.set(clientId, { item: { clientId, target, body, writtenAt, state: 'queued' }, dueAt: 0 });
  }

  addChange(clientId: string, conversation: string, change: Change, body: string, writtenAt: number): void {
    const target: Target = { kind: 'conversation', id: conversation };
    this.#messages.set(clientId, { item: { clientId, target, body, change, writtenAt, state: 'queued' }, dueAt: 0 });
  }

  /** The frames to send now; they count as sent. */
  takeDue(now: number): ClientFrame[] {
    const frames: ClientFrame[] = [];
    for (const attempt of this.#live(this.#openings)) {
      if (attempt.dueAt > now) continue;
      const { clientId, contact } = attempt.item;
      frames.push({ type: 'open', clientId, ...(contact && { contact }) });
      this.#markSent(attempt, now);
    }
    for (const attempt of this.#first()) {
      if (attempt.dueAt > now) continue;
      const { target } = attempt.item;
      if (target.kind !== 'conversation') continue;
      frames.push(frameOf(attempt.item, target.id));
      this.#markSent(attempt, now);
    }
    return frames;
  }

  /** The next moment at which {@link takeDue} has something, in milliseconds since the Unix epoch. */
  nextDue(): number | undefined {
    const attempts = [...this.#live(this.#openings), ...this.#first()];
    return attempts.length === 0 ? undefined : Math.min(...attempts.map(({ dueAt }) => dueAt));
  }

  /** The connection is gone and with it whatever was on its way: all of it is sent again on the next one. */
  connectionLost(): void {
    for (const attempt of this.#live(this.#openings)) this.#requeue(attempt, 0);
    for (const attempt of this.#messages.values()) {
      if (attempt.item.state === 'sent') this.#requeue(attempt, 0);
    }
  }

  /** The conversation exists: messages that waited for it know where to go. */
  opened(clientId: string, conversation: string): void {
    this.#openings.delete(clientId);
    for (const attempt of this.#messages.values()) {
      const { target } = attempt.item;
      if (target.kind !== 'opening' || target.clientId !== clientId) continue;
      attempt.item = { ...attempt.item, target: { kind: 'conversation', id: conversation } };
    }
  }

  /** The message is durable; it stays visible until its event arrives. */
  acknowledged(clientId: string): void {
    const attempt = this.#messages.get(clientId);
    if (attempt) attempt.item = withState(attempt.item, 'acknowledged');
  }

  /** The message's event arrived: it is part of the transcript now. */
  confirmed(clientId: string): void {
    this.#messages.delete(clientId);
  }

  /** The server may have lost what it acknowledged (restored from a backup): say it again, it is known by its id. */
  unacknowledge(conversation: string): void {
    for (const attempt of this.#messages.values()) {
      const { state, target } = attempt.item;
      const concerned = target.kind === 'conversation' && target.id === conversation;
      if (concerned && state === 'acknowledged') this.#requeue(attempt, 0);
    }
  }

  /** The server refused the frame for now: it is sent again at `retryAt`. */
  postponed(clientId: string, retryAt: number): void {
    const attempt = this.#openings.get(clientId) ?? this.#messages.get(clientId);
    if (attempt) this.#requeue(attempt, retryAt);
  }

  /** The server refused the frame for good. */
  refused(clientId: string, failure: Failure): void {
    const attempt = this.#openings.get(clientId) ?? this.#messages.get(clientId);
    if (attempt) attempt.item = { ...withState(attempt.item, 'failed'), failure };
  }

  /** Tries a failed opening or message once more, with the same client id. */
  retry(clientId: string): void {
    const attempt = this.#openings.get(clientId) ?? this.#messages.get(clientId);
    if (attempt?.item.state === 'failed') this.#requeue(attempt, 0);
  }

  /** Gives a failed message up. One that may still be on its way cannot be taken back. */
  discard(clientId: string): void {
    if (this.#messages.get(clientId)?.item.state === 'failed') this.#messages.delete(clientId);
  }

  /** The oldest unanswered message of each conversation. */
  #first(): Attempt<PendingMessage>[] {
    const first = new Map<string, Attempt<PendingMessage>>();
    for (const attempt of this.#live(this.#messages)) {
      const { target } = attempt.item;
      if (target.kind === 'conversation' && !first.has(target.id)) first.set(target.id, attempt);
    }
    return [...first.values()];
  }

  #live<T extends PendingOpening | PendingMessage>(attempts: ReadonlyMap<string, Attempt<T>>): Attempt<T>[] {
    return [...attempts.values()].filter(({ item }) => item.state === 'queued' || item.state === 'sent');
  }

  #markSent(attempt: Attempt<PendingOpening | PendingMessage>, now: number): void {
    attempt.item = withState(attempt.item, 'sent');
    attempt.dueAt = now + ANSWER_TIMEOUT_MS;
  }

  #requeue(attempt: Attempt<PendingOpening | PendingMessage>, dueAt: number): void {
    attempt.item = withState(attempt.item, 'queued');
    attempt.dueAt = dueAt;
  }
}

function frameOf({ clientId, body, change }: PendingMessage, conversation: string): SubmissionFrame {
  if (!change) return { type: 'send', conversation, clientId, body };
  const about = { conversation, clientId, target: change.of };
  return change.kind === 'edit' ? { type: 'edit', ...about, body } : { type: 'delete', ...about };
}

function withState<T extends PendingOpening | PendingMessage>(item: T, state: T['state']): T {
  const next = { ...item, state };
  delete (next as { failure?: Failure }).failure;
  return next;
}
