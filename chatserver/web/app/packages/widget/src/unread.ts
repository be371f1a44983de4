// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { usePageVisible } from '@chattenant/design';
import { useEffect, useRef } from 'preact/hooks';
import type { Embedding } from './embedding';
import type { Panel, View } from './panel';

/** Tells the page around how many answers came while the panel was out of sight. */
export function useUnread(view: View, shown: boolean, embedding: Embedding): void {
  const seen = useRef(0);
  const answers = answersIn(view);
  useEffect(() => {
    if (shown) seen.current = answers;
    embedding.tell({ chattenant: 'unread', count: Math.max(0, answers - seen.current) });
  }, [answers, shown, embedding]);
}

function answersIn(view: View): number {
  if (view.kind !== 'chat' || !view.thread || !('events' in view.thread)) return 0;
  return view.thread.events.filter(({ author, kind }) => author.kind === 'agent' && kind === 'message').length;
}

/** Tells the agents that the visitor has seen what is on the screen. */
export function useReading(panel: Panel, view: View, shown: boolean): void {
  const seen = usePageVisible() && shown;
  const events = view.kind === 'chat' && view.thread && 'events' in view.thread ? view.thread.events : undefined;
  useEffect(() => {
    if (seen && events) panel.read();
  }, [panel, seen, events]);
}
