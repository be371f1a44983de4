// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { nameIn, usePageVisible, type StatusProps } from '@chattenant/design';
import type { Info, Participant, Snapshot } from '@chattenant/protocol';
import { useEffect } from 'preact/hooks';
import type { Panel, View } from './panel';
import { text } from './text';

/** How often a panel in sight asks whether anyone is there, in milliseconds, as long as there is no conversation. */
const LOOK_EVERY_MS = 60_000;

/** Keeps what the first screen says about who is there from growing old. */
export function useLooking(panel: Panel, view: View, shown: boolean): void {
  const looking = usePageVisible() && shown && view.kind === 'start';
  useEffect(() => {
    if (!looking) return undefined;
    const timer = setInterval(() => {
      void panel.look();
    }, LOOK_EVERY_MS);
    return () => {
      clearInterval(timer);
    };
  }, [panel, looking]);
}

/** Whether anyone is there, if that is known. */
export function available(info: Info | undefined, view: View): boolean | undefined {
  return view.kind === 'chat' ? (view.snapshot.available ?? info?.available) : info?.available;
}

/** What the panel says about who is there. Nothing while that is not known. */
export function hereStatus(info: Info | undefined, view: View): StatusProps | undefined {
  if (view.kind !== 'start' && view.kind !== 'chat') return undefined;
  const name = view.kind === 'chat' ? presentAgent(view) : undefined;
  if (name !== undefined) return { kind: 'online', words: text.isHere(name) };
  const here = available(info, view);
  if (here === undefined) return undefined;
  return here ? { kind: 'online', words: text.weAreHere } : { kind: 'away', words: text.nobodyHere };
}

/** The agent who spoke last of those in the conversation who are there. */
function presentAgent({ thread }: { readonly thread: ThreadOf }): string | undefined {
  if (!thread || !('people' in thread)) return undefined;
  const present = thread.people.filter(({ kind, online }) => kind === 'agent' && online).map(({ id }) => id);
  const last = thread.events.findLast(({ author }) => present.includes(author.id));
  const nameOf = ({ displayName }: Participant) => displayName ?? '';
  return (last && nameIn(thread.events, last.author, nameOf)) || undefined;
}

type ThreadOf = Extract<View, { kind: 'chat' }>['thread'] | Snapshot['conversations'][number];
