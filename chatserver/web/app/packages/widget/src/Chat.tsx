// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Composer, linesOf, nameIn, Transcript, TypingStatus, type InputRef } from '@chattenant/design';
import type { EventFrame, Info, Participant } from '@chattenant/protocol';
import { useState } from 'preact/hooks';
import { Notice } from './Notice';
import type { Panel, View } from './panel';
import { text } from './text';

export interface ChatProps {
  readonly info: Info;
  readonly panel: Panel;
  readonly view: Extract<View, { kind: 'chat' }>;
  readonly inputRef: InputRef;
}

/** The conversation, and where it goes on. */
export function Chat({ info, panel, view: { snapshot, thread }, inputRef }: ChatProps) {
  const nameOf = ({ displayName }: Participant) => displayName || info.displayName;
  const over = snapshot.link.kind === 'refused';
  const events = eventsOf(thread);
  const others = thread && 'others' in thread ? thread.others : undefined;
  const messages = { events, pending: thread?.pending ?? [], ...(others && { others }) };
  const writers = others?.typing.map((who) => nameIn(events, who, nameOf) ?? info.displayName) ?? [];
  return (
    <>
      <Transcript
        label={text.log}
        lines={linesOf(messages, { self: snapshot.self, nameOf, over })}
        complete={thread !== undefined && (!('complete' in thread) || thread.complete)}
        onEdit={(message, body) => {
          panel.edit(message, body);
        }}
        onDelete={(message) => {
          panel.remove(message);
        }}
        onRetry={(clientId) => {
          panel.retry(clientId);
        }}
        onDiscard={(clientId) => {
          panel.discard(clientId);
        }}
      />
      <p class="hint" role="status">
        {hintFor(thread, snapshot.available)}
      </p>
      <TypingStatus names={writers} />
      <Next thread={thread} refused={over} panel={panel} inputRef={inputRef} />
      <Notice info={info} brief />
    </>
  );
}

type Thread = ChatProps['view']['thread'];

function eventsOf(thread: Thread): readonly EventFrame[] {
  return thread && 'events' in thread ? thread.events : [];
}

function hintFor(thread: Thread, available: boolean | undefined): string {
  if (!thread) return text.resuming;
  if (eventsOf(thread).some(({ author }) => author.kind === 'agent')) return '';
  return available === false ? text.greetingAway : text.greeting;
}

interface NextProps extends Pick<ChatProps, 'panel' | 'inputRef'> {
  readonly thread: Thread;
  readonly refused: boolean;
}

/** What the visitor can do next: write, or start over where writing leads nowhere. */
function Next({ thread, refused, panel, inputRef }: NextProps) {
  const [draft, setDraft] = useState('');
  if (refused) return <Dead reason={text.over} panel={panel} />;
  if (thread && 'failure' in thread) return <Dead reason={text.refused} panel={panel} />;
  return (
    <Composer
      label={text.message}
      draft={draft}
      onDraft={(next) => {
        setDraft(next);
        panel.typing(next !== '');
      }}
      inputRef={inputRef}
      onSend={(body) => {
        panel.say(body);
      }}
    />
  );
}

function Dead({ reason, panel }: { readonly reason: string; readonly panel: Panel }) {
  return (
    <div class="dead" role="alert">
      <p>{reason}</p>
      <button
        type="button"
        class="button"
        onClick={() => {
          panel.startOver();
        }}
      >
        {text.startOver}
      </button>
    </div>
  );
}
