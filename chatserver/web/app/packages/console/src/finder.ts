// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { ApiError, type SearchAnswer, type SearchHit, type SearchRequest } from '@chattenant/protocol';

/** What is looked at: the messages, or one of the things a visitor is known by. */
export const FIELDS = ['text', 'email', 'phone', 'externalId'] as const;

export type SearchField = (typeof FIELDS)[number];

export interface FinderState {
  /** What was asked last; without it there is no search. */
  readonly asked?: { readonly field: SearchField; readonly value: string };
  readonly busy: boolean;
  readonly hits: readonly SearchHit[];
  /** There may be older ones. */
  readonly more: boolean;
  readonly problem?: ApiError;
}

const NOTHING: FinderState = { busy: false, hits: [], more: false };

/** One agent's search. Answers that come after something else was asked are dropped. */
export class Finder {
  readonly #ask: (request: SearchRequest) => Promise<SearchAnswer>;
  readonly #listeners = new Set<() => void>();
  #state = NOTHING;
  #before: string | undefined;
  /** Tells the answer to the last question from those to former ones. */
  #question = 0;

  constructor(ask: (request: SearchRequest) => Promise<SearchAnswer>) {
    this.#ask = ask;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  snapshot(): FinderState {
    return this.#state;
  }

  search(field: SearchField, value: string): Promise<void> {
    this.#before = undefined;
    return this.#look({ asked: { field, value }, busy: true, hits: [], more: false });
  }

  /** Looks further back. */
  more(): Promise<void> {
    const { asked, busy, hits } = this.#state;
    if (!asked || busy || !this.#state.more) return Promise.resolve();
    return this.#look({ asked, busy: true, hits, more: true });
  }

  close(): void {
    this.#question += 1;
    this.#become(NOTHING);
  }

  async #look(state: FinderState & Required<Pick<FinderState, 'asked'>>): Promise<void> {
    this.#become(state);
    this.#question += 1;
    const question = this.#question;
    const { field, value } = state.asked;
    const before = this.#before;
    const outcome = await this.#answer({ [field]: value, ...(before !== undefined && { before }) });
    if (question !== this.#question) return;
    if (outcome instanceof ApiError) {
      // What was found stays, and asking again goes on from there.
      this.#become({ ...state, busy: false, problem: outcome });
      return;
    }
    this.#before = outcome.before;
    const hits = [...state.hits, ...outcome.hits];
    this.#become({ ...state, busy: false, hits, more: outcome.before !== undefined });
  }

  async #answer(request: SearchRequest): Promise<SearchAnswer | ApiError> {
    try {
      return await this.#ask(request);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error;
    }
  }

  #become(state: FinderState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
