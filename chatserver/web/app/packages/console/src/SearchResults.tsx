// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { briefTime } from '@chattenant/design';
import { systemClock, type SearchHit } from '@chattenant/protocol';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { titleOf } from './attention';
import type { FinderState } from './finder';
import { text } from './text';

export interface SearchResultsProps {
  readonly state: FinderState;
  readonly chosenId: string | undefined;
  readonly onChoose: (conversation: string) => void;
  readonly onMore: () => void;
  readonly onClose: () => void;
}

/** What was found, newest first, and the way to older ones. */
export function SearchResults({ state, chosenId, onChoose, onMore, onClose }: SearchResultsProps) {
  const { busy, hits, more, problem } = state;
  const list = useRef<HTMLUListElement>(null);
  const reached = useRef(0);
  useLayoutEffect(() => {
    // The button that asked for more may be gone: the keyboard goes on with what it brought.
    const first = reached.current;
    reached.current = hits.length;
    if (first === 0 || hits.length <= first) return;
    list.current?.querySelectorAll<HTMLElement>('button').item(first).focus();
  }, [hits]);
  return (
    <section class="found" aria-label={text.searchResults}>
      <div class="found-head">
        <h2>{text.searchResults}</h2>
        <button type="button" class="button quiet" onClick={onClose}>
          {text.closeSearch}
        </button>
      </div>
      <p class={busy ? 'count busy' : 'count'} role="status">
        {busy ? text.searching : !problem && text.found(hits.length, more)}
      </p>
      <div role="alert">{problem && <p class="alert">{text.searchProblem(problem)}</p>}</div>
      <ul ref={list}>
        {hits.map((hit) => (
          <li key={`${hit.conversation} ${hit.seq}`}>
            <Hit hit={hit} chosen={hit.conversation === chosenId} onChoose={onChoose} />
          </li>
        ))}
      </ul>
      {(more || (problem && hits.length > 0)) && (
        <button type="button" class="button more" aria-disabled={busy} onClick={onMore}>
          {text.moreResults}
        </button>
      )}
    </section>
  );
}

interface HitProps extends Pick<SearchResultsProps, 'onChoose'> {
  readonly hit: SearchHit;
  readonly chosen: boolean;
}

function Hit({ hit, chosen, onChoose }: HitProps) {
  const at = briefTime(Date.parse(hit.at), systemClock.now());
  const { contact } = hit;
  return (
    <button
      type="button"
      class="item"
      aria-current={chosen}
      onClick={() => {
        onChoose(hit.conversation);
      }}
    >
      <span class="name">{titleOf({ id: hit.conversation, ...(contact && { contact }) })}</span>
      <time dateTime={hit.at}>{at}</time>
      <span class="excerpt">{hit.excerpt ?? text.opened(at)}</span>
    </button>
  );
}
