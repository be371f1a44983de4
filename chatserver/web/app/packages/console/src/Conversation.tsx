// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import {
  BackIcon,
  clockTime,
  Composer,
  dayName,
  linesOf,
  nameIn,
  Transcript,
  TypingStatus,
} from '@chattenant/design';
import { systemClock, type ChatClient, type ConversationView, type Participant } from '@chattenant/protocol';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { detailsOf, titleOf } from './attention';
import { VisitorStatus } from './Presence';
import { text } from './text';

export interface ConversationProps {
  readonly conversation: ConversationView;
  readonly self: Participant | undefined;
  /** Whether the visitor is there; undefined while that is not known. */
  readonly online: boolean | undefined;
  readonly client: ChatClient;
  /** Answers begun and not sent, by conversation. */
  readonly drafts: Map<string, string>;
  readonly onBack: () => void;
}

/** One conversation: who it is with, what was said, and the answer. */
export function Conversation({ conversation, self, online, client, drafts, onBack }: ConversationProps) {
  const { id } = conversation;
  const title = titleOf(conversation);
  const [draft, setDraft] = useState(drafts.get(id) ?? '');
  const input = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    input.current?.focus();
  }, []);
  const nameOf = ({ kind, displayName }: Participant) => (kind === 'visitor' ? title : (displayName ?? ''));
  const writers = conversation.others.typing.map((who) =>
    who.kind === 'visitor' ? title : (nameIn(conversation.events, who, nameOf) ?? text.anAgent),
  );
  return (
    <>
      <Head conversation={conversation} title={title} online={online} onBack={onBack} />
      <Transcript
        label={text.log(title)}
        lines={linesOf(conversation, { self, nameOf })}
        complete={conversation.complete}
        onEdit={(message, body) => {
          client.edit(id, message, body);
        }}
        onDelete={(message) => {
          client.remove(id, message);
        }}
        onRetry={(clientId) => {
          client.retry(clientId);
        }}
        onDiscard={(clientId) => {
          client.discard(clientId);
        }}
      />
      <TypingStatus names={writers} />
      <Composer
        label={text.answer}
        draft={draft}
        inputRef={input}
        onDraft={(next) => {
          drafts.set(id, next);
          setDraft(next);
          client.typing(id, next !== '');
        }}
        onSend={(body) => {
          client.send({ kind: 'conversation', id }, body);
        }}
      />
    </>
  );
}

interface HeadProps extends Pick<ConversationProps, 'conversation' | 'online' | 'onBack'> {
  readonly title: string;
}

function Head({ conversation, title, online, onBack }: HeadProps) {
  const opened = Date.parse(conversation.openedAt);
  const details = detailsOf(conversation);
  const when = `${dayName(opened, systemClock.now())}, ${clockTime(opened)}`;
  return (
    <div class="head">
      <button type="button" class="button icon quiet back" aria-label={text.back} onClick={onBack}>
        <BackIcon />
      </button>
      <div>
        <h2>{title}</h2>
        <p>
          <VisitorStatus online={online} />
          {details.map((detail) => (
            <span key={detail}>{detail}</span>
          ))}
          <span>{text.opened(when)}</span>
        </p>
      </div>
    </div>
  );
}
