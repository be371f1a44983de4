// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { LinkStatus, usePageVisible } from '@chattenant/design';
import type { ConversationView } from '@chattenant/protocol';
import { useEffect, useState } from 'preact/hooks';
import { Attention, byActivity, titleOf } from './attention';
import { Conversation } from './Conversation';
import type { Desk, DeskState, View } from './desk';
import { Opening } from './Opening';
import { Colleagues, visitorOnline } from './Presence';
import { Side } from './Side';
import { text } from './text';

export interface WorkplaceProps {
  readonly desk: Desk;
  readonly state: DeskState;
  readonly view: Extract<View, { kind: 'signedIn' }>;
}

/** The desk of a signed-in agent: all conversations, and the one being answered. */
export function Workplace({ desk, state, view: { agent, client, snapshot } }: WorkplaceProps) {
  const [attention] = useState(() => new Attention());
  const [drafts] = useState(() => new Map<string, string>());
  const [chosenId, choose] = useState<string>();
  const visible = usePageVisible();
  const conversations = byActivity(snapshot.conversations);
  const chosen = conversations.find(({ id }) => id === chosenId);
  if (chosen && visible) attention.markRead(chosen);
  useEffect(() => {
    if (chosen && visible) client.read(chosen.id);
  }, [client, chosen, visible]);
  const unread = (conversation: ConversationView) => attention.unread(conversation);
  const news = conversations.filter((conversation) => unread(conversation) > 0);
  useTitle(news.length, state.info?.displayName);
  return (
    <div class={chosenId === undefined ? 'desk' : 'desk chosen'}>
      <a class="skip" href="#conversation">
        {text.skip}
      </a>
      <header>
        <h1 tabIndex={-1}>
          {state.info?.displayName} <span>{text.console}</span>
        </h1>
        <Colleagues snapshot={snapshot} />
        <LinkStatus link={snapshot.link} />
        <span class="agent">{agent.displayName}</span>
        <SignOut desk={desk} state={state} />
      </header>
      <main>
        <Side
          desk={desk}
          conversations={conversations}
          chosenId={chosenId}
          self={snapshot.self}
          online={(conversation) => visitorOnline(conversation, snapshot)}
          unread={unread}
          onChoose={choose}
          onFound={(id) => {
            client.show(id);
            choose(id);
          }}
        />
        <p class="unseen" role="status">
          {news[0] && text.newMessage(titleOf(news[0]))}
        </p>
        <section id="conversation" aria-label={text.conversation} tabIndex={-1}>
          {chosen ? (
            <Conversation
              key={chosen.id}
              conversation={chosen}
              self={snapshot.self}
              online={visitorOnline(chosen, snapshot)}
              client={client}
              drafts={drafts}
              onBack={() => {
                choose(undefined);
              }}
            />
          ) : (
            <Opening
              asked={chosenId !== undefined}
              hint={conversations.length > 0}
              onBack={() => {
                choose(undefined);
              }}
            />
          )}
        </section>
      </main>
    </div>
  );
}

function SignOut({ desk, state: { busy, problem } }: Pick<WorkplaceProps, 'desk' | 'state'>) {
  return (
    <div>
      <button
        type="button"
        class="button quiet"
        aria-disabled={busy}
        onClick={() => {
          void desk.signOut();
        }}
      >
        {text.signOut}
      </button>
      <div role="alert">{problem && text.signOutProblem}</div>
    </div>
  );
}

/** The tab says how many conversations wait, for agents who are elsewhere. */
function useTitle(waiting: number, displayName: string | undefined): void {
  useEffect(() => {
    const title = `${displayName ?? ''} ${text.console}`.trim();
    document.title = waiting > 0 ? `(${waiting}) ${title}` : title;
    return () => {
      document.title = text.console;
    };
  }, [waiting, displayName]);
}
