// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Line } from './lines';
import { text } from './text';

/** Something to be read out, numbered: the same words twice are two pieces of news. */
export interface News {
  readonly count: number;
  readonly words: string;
}

/** What became of messages that were there before. New ones are the log's own to announce. */
export function useNews(lines: readonly Line[], complete: boolean): News | undefined {
  const before = useRef<readonly Line[] | undefined>(undefined);
  const [news, setNews] = useState<News>();
  useEffect(() => {
    // While something is missing, what is there may be of any age.
    if (!complete) return;
    const words = before.current && newsOf(before.current, lines);
    before.current = lines;
    if (words !== undefined) setNews((last) => ({ count: (last?.count ?? 0) + 1, words }));
  }, [lines, complete]);
  return news;
}

/** The latest change between two drawings of a conversation, in words. */
export function newsOf(before: readonly Line[], after: readonly Line[]): string | undefined {
  const known = new Map(before.map((line) => [line.key, line]));
  return after.flatMap((line) => changeIn(known.get(line.key), line) ?? []).at(-1);
}

function changeIn(before: Line | undefined, after: Line): string | undefined {
  if (!before) return undefined;
  return after.own ? ownChange(before, after) : othersChange(before, after);
}

/** An own change is told when it is done or failed, not when it begins. */
function ownChange(before: Line, after: Line): string | undefined {
  const failedBefore = before.change?.mark === 'failed';
  if (after.change?.mark === 'failed' && !failedBefore) return text.changes[after.change.kind].failed;
  if (after.change || failedBefore || !becameSo(before, after)) return undefined;
  return after.changed === 'deleted' ? text.changes.deletion.done : text.changes.edit.done;
}

/** A quick answer leaves no drawing in which the change was under way. */
function becameSo(before: Line, { body, changed }: Line): boolean {
  if (changed === undefined) return false;
  return before.change !== undefined || before.changed !== changed || (changed === 'edited' && before.body !== body);
}

function othersChange(before: Line, { author, body, changed }: Line): string | undefined {
  if (changed === 'deleted') return before.changed === 'deleted' ? undefined : text.othersDeleted(author);
  return changed === 'edited' && before.body !== body ? text.othersEdited(author, body) : undefined;
}
