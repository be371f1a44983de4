// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { SearchAnswer, SearchHit, SearchRequest } from '@chattenant/protocol';
import type { Conversation } from './engine';

const PAGE = 20;

/** Searches as the chat server does, as far as pages can tell: whole words, any case, newest first. */
export function search(conversations: readonly Conversation[], request: SearchRequest): SearchAnswer {
  const words = wordsOf(request.text ?? '');
  const found = conversations
    .filter((conversation) => isMeant(conversation, request))
    .flatMap((conversation) => (words.length > 0 ? messagesWith(conversation, words) : [hitOf(conversation)]))
    .sort((a, b) => (a.at < b.at ? 1 : -1));
  const start = Number(request.before ?? 0);
  const hits = found.slice(start, start + PAGE);
  return { hits, ...(start + PAGE < found.length && { before: String(start + PAGE) }) };
}

function isMeant({ contact }: Conversation, { email, phone, externalId }: SearchRequest): boolean {
  const same = (asked: string | undefined, given: string | undefined) =>
    asked === undefined || asked.toLowerCase() === given?.toLowerCase();
  return same(email, contact.email) && same(phone, contact.phone) && same(externalId, contact.externalId);
}

const hitOf = ({ id, openedAt, contact }: Conversation): SearchHit => ({
  conversation: id,
  openedAt,
  contact,
  seq: 0,
  at: openedAt,
});

function messagesWith(conversation: Conversation, words: readonly string[]): SearchHit[] {
  return conversation.events
    .filter(({ kind, body }) => kind === 'message' && words.every((word) => wordsOf(body).includes(word)))
    .map(({ seq, at, body }) => ({ ...hitOf(conversation), seq, at, excerpt: body }));
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? [];
}
