// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Contact } from './frames';

/** Asks for messages with all words of `text`, for conversations of somebody, or for both together. */
export interface SearchRequest {
  readonly text?: string;
  readonly email?: string;
  readonly phone?: string;
  readonly externalId?: string;
  /** Where an earlier answer ended. */
  readonly before?: string;
}

/** A message that was found, or a conversation if no text was asked for. */
export interface SearchHit {
  readonly conversation: string;
  readonly openedAt: string;
  readonly contact?: Contact;
  /** 0 if the hit is the conversation. */
  readonly seq: number;
  readonly at: string;
  readonly excerpt?: string;
}

/** A page of hits, newest first. One may be empty and not the last. */
export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  readonly before?: string;
}
