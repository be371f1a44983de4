// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { briefTime, linesOf } from '@chattenant/design';
import { systemClock, type ConversationView, type Participant } from '@chattenant/protocol';
import { titleOf } from './attention';
import { VisitorMark } from './Presence';
import { text } from './text';

export interface ConversationListProps {
  readonly conversations: readonly ConversationView[];
  readonly chosenId: string | undefined;
  readonly self: Participant | undefined;
  readonly online: (conversation: ConversationView) => boolean | undefined;
  readonly unread: (conversation: ConversationView) => number;
  readonly onChoose: (id: string) => void;
}

/** All conversations, newest activity first. */
export function ConversationList(props: ConversationListProps) {
  const { conversations, chosenId, self, online, unread, onChoose } = props;
  return (
    <nav aria-label={text.conversations}>
      <h2>{text.conversations}</h2>
      {conversations.length === 0 && <p class="wait">{text.none}</p>}
      <ul>
        {conversations.map((conversation) => (
          <li key={conversation.id}>
            <Item
              conversation={conversation}
              chosen={conversation.id === chosenId}
              self={self}
              online={online(conversation)}
              unread={unread(conversation)}
              onChoose={onChoose}
            />
          </li>
        ))}
      </ul>
    </nav>
  );
}

interface ItemProps extends Pick<ConversationListProps, 'self' | 'onChoose'> {
  readonly conversation: ConversationView;
  readonly chosen: boolean;
  readonly online: boolean | undefined;
  readonly unread: number;
}

function Item({ conversation, chosen, self, online, unread, onChoose }: ItemProps) {
  const at = conversation.events.at(-1)?.at ?? conversation.openedAt;
  return (
    <button
      type="button"
      class={unread > 0 ? 'item unread' : 'item'}
      aria-current={chosen}
      onClick={() => {
        onChoose(conversation.id);
      }}
    >
      <span class="who">
        <VisitorMark online={online} />
        <span class="name">{titleOf(conversation)}</span>
      </span>
      <time dateTime={at}>{briefTime(Date.parse(at), systemClock.now())}</time>
      <span class="preview">{previewOf(conversation, self)}</span>
      {unread > 0 && (
        <span class="badge">
          <span aria-hidden="true">{unread}</span>
          <span class="unseen">{text.unread(unread)}</span>
        </span>
      )}
    </button>
  );
}

/** The last message as it stands now. */
function previewOf({ events }: ConversationView, self: Participant | undefined): string {
  const last = linesOf({ events, pending: [] }, { self, nameOf: () => '' }).at(-1);
  if (!last) return text.noMessages;
  return text.preview(last.own, last.changed === 'deleted' ? text.deleted : last.body.slice(0, 120));
}
