// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Status } from '@chattenant/design';
import type { ConversationView, Snapshot } from '@chattenant/protocol';
import { text } from './text';

/** Whether a conversation's visitor is there. Without a connection nobody knows. */
export function visitorOnline({ people }: ConversationView, { link }: Snapshot): boolean | undefined {
  if (link.kind !== 'online') return undefined;
  return people.find(({ kind }) => kind === 'visitor')?.online;
}

/** In words, beside the visitor's name. Its place is kept while it is not known. */
export function VisitorStatus({ online }: { readonly online: boolean | undefined }) {
  const kind = online === undefined ? 'unknown' : kindOf(online);
  return <Status kind={kind} words={online === undefined ? '' : wordsOf(online)} />;
}

/** As a mark, in the list. */
export function VisitorMark({ online }: { readonly online: boolean | undefined }) {
  return (
    <span class={`status ${online === undefined ? 'unknown' : kindOf(online)}`}>
      {online !== undefined && <span class="unseen">{wordsOf(online)}</span>}
    </span>
  );
}

/** How many others could answer. */
export function Colleagues({ snapshot: { link, colleagues } }: { readonly snapshot: Snapshot }) {
  return (
    <span class="colleagues" role="status">
      {link.kind === 'online' && text.colleagues(colleagues)}
    </span>
  );
}

const kindOf = (online: boolean) => (online ? 'online' : 'away');
const wordsOf = (online: boolean) => (online ? text.visitorOnline : text.visitorOffline);
