// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ConversationView } from '@chattenant/protocol';
import { text } from './text';

/** Which messages an agent still has to look at. Kept for as long as the page is open. */
export class Attention {
  readonly #read = new Map<string, number>();

  /** The agent has seen everything that is there now. */
  markRead({ id, events }: ConversationView): void {
    this.#read.set(id, events.at(-1)?.seq ?? 0);
  }

  /** Visitor's messages after the last one seen, or answered by any agent. One that was deleted needs no look. */
  unread({ id, events }: ConversationView): number {
    const messages = events.filter(({ kind, erased }) => kind === 'message' && erased !== true);
    const answered = messages.findLast(({ author }) => author.kind === 'agent')?.seq ?? 0;
    const seen = Math.max(answered, this.#read.get(id) ?? 0);
    return messages.filter(({ author, seq }) => author.kind === 'visitor' && seq > seen).length;
  }
}

/** Newest activity first. Times of the server compare as text. */
export function byActivity(conversations: readonly ConversationView[]): readonly ConversationView[] {
  const last = ({ events, openedAt }: ConversationView) => events.at(-1)?.at ?? openedAt;
  return [...conversations].sort((a, b) => {
    const [one, other] = [last(a), last(b)];
    if (one !== other) return one < other ? 1 : -1;
    return a.id < b.id ? 1 : -1;
  });
}

/** What a visitor said of themselves besides their name. */
export function detailsOf({ contact }: Pick<ConversationView, 'contact'>): readonly string[] {
  const { name = '', email = '', phone = '', externalId = '' } = contact ?? {};
  const details = [email, phone, externalId && text.customerNumber(externalId)].filter((detail) => detail !== '');
  return details.length > 0 || name !== '' ? details : [text.noContact];
}

/** How a visitor is called: by the name they gave, or by the end of the conversation's id. */
export function titleOf({ id, contact }: Pick<ConversationView, 'id' | 'contact'>): string {
  return contact?.name || contact?.email || `Visitor ${id.slice(-4)}`;
}
