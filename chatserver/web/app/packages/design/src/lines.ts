// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type {
  Change,
  ConversationView,
  EventFrame,
  Participant,
  PendingMessage,
  Reference,
} from '@chattenant/protocol';
import { sameDay } from './times';

/** How far a message has got. */
export type Mark = 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed';

/** One message as it is drawn. */
export interface Line {
  /** The same before and after the message became an event, so that it is not announced twice. */
  readonly key: string;
  readonly own: boolean;
  readonly author: string;
  readonly body: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly mark: Mark;
  /** Set if the message is no longer as it was first said. */
  readonly changed?: 'edited' | 'deleted';
  /** Set while it can be edited and deleted: the message's id. */
  readonly messageId?: string;
  /** A change of it that is on its way. */
  readonly change?: LineChange;
  /** Set while something can be done about it. */
  readonly failedClientId?: string;
  /** The first line of its author in a row. */
  readonly turn: boolean;
  /** The first line of its day. */
  readonly newDay: boolean;
}

/** A change of a message that is no event yet. */
export interface LineChange extends Pick<Change, 'kind'> {
  readonly mark: Mark;
  /** Set while something can be done about it. */
  readonly failedClientId?: string;
}

type Bare = Omit<Line, 'turn' | 'newDay'>;

const marks: Readonly<Record<PendingMessage['state'], Mark>> = {
  queued: 'queued',
  sent: 'sending',
  acknowledged: 'sent',
  failed: 'failed',
};

export interface Naming {
  readonly self: Participant | undefined;
  /** The name to show for an author. */
  readonly nameOf: (author: Participant) => string;
  /** Nothing more can be sent: what waits will never go. */
  readonly over?: boolean;
}

/** What of a conversation is drawn. */
export type Drawn = Pick<ConversationView, 'events' | 'pending'> & Partial<Pick<ConversationView, 'others'>>;

/** The lines of a conversation: what happened, then what is on its way. */
export function linesOf(conversation: Drawn, naming: Naming): readonly Line[] {
  const edits = lastEdits(conversation.events);
  const changes = new Map(conversation.pending.flatMap((entry) => (entry.change ? [[entry.change.of, entry]] : [])));
  const events = conversation.events
    .filter(({ kind }) => kind === 'message')
    .map((event) => ({
      ...lineOf(event, naming),
      ...changeOf(event, edits.get(event.id)),
      mark: markOf(event, conversation.others),
    }))
    .map((line) => withChange(line, changes.get(line.id), naming.over ?? false));
  const pending = conversation.pending
    .filter(({ change }) => !change)
    .map((message) => pendingLine(message, naming));
  return [...events, ...pending].map((line, index, lines) => {
    const before = lines[index - 1];
    const newDay = !before || !sameDay(before.at, line.at);
    return { ...line, newDay, turn: newDay || before.author !== line.author || before.own !== line.own };
  });
}

/** The name under which somebody spoke in a conversation, if they did. */
export function nameIn(events: readonly EventFrame[], who: Reference, nameOf: Naming['nameOf']): string | undefined {
  const spoken = events.findLast(({ author }) => author.id === who.id);
  return spoken && nameOf(spoken.author);
}

/** The edit that counts for each message that has one: the last. */
function lastEdits(events: readonly EventFrame[]): ReadonlyMap<string, EventFrame> {
  return new Map(events.flatMap((event) => (event.kind === 'edit' && event.target ? [[event.target, event]] : [])));
}

function changeOf({ erased }: EventFrame, edit: EventFrame | undefined): Pick<Line, 'changed'> & { body?: string } {
  if (erased) return { changed: 'deleted' };
  return edit ? { changed: 'edited', body: edit.body } : {};
}

/** The line as it will be once a change has its place, with what its author can do about it. */
function withChange({ id, ...line }: Bare & { id: string }, entry: PendingMessage | undefined, over: boolean): Bare {
  const gone = line.changed === 'deleted';
  const changeable = line.own && !over && !gone && { messageId: id };
  if (!entry?.change) return { ...line, ...changeable };
  const { kind } = entry.change;
  const change: LineChange = { kind, ...progressOf(entry, over) };
  if (kind === 'deletion') return { ...line, change, ...(change.mark === 'failed' && changeable) };
  return { ...line, change, ...changeable, ...(!gone && { body: entry.body, changed: 'edited' }) };
}

/** How far something has got. Nothing can be done about what failed when all is over. */
function progressOf({ clientId, state }: PendingMessage, over: boolean): Pick<Line, 'mark' | 'failedClientId'> {
  const mark = over && state !== 'acknowledged' ? 'failed' : marks[state];
  return { mark, ...(mark === 'failed' && !over && { failedClientId: clientId }) };
}

function markOf({ seq }: EventFrame, others: Drawn['others']): Mark {
  if (!others || others.delivered < seq) return 'sent';
  return others.read < seq ? 'delivered' : 'read';
}

function lineOf(event: EventFrame, { self, nameOf }: Naming): Omit<Bare, 'mark'> & { id: string } {
  const { id, author, clientId, body, at } = event;
  const own = author.id === self?.id;
  const key = `${author.id} ${clientId}`;
  return { id, key, own, author: nameOf(author), body, at: Date.parse(at) };
}

function pendingLine(message: PendingMessage, { self, nameOf, over = false }: Naming): Bare {
  const { clientId, body, writtenAt } = message;
  return {
    key: `${self?.id ?? ''} ${clientId}`,
    own: true,
    author: self ? nameOf(self) : '',
    body,
    at: writtenAt,
    ...progressOf(message, over),
  };
}
