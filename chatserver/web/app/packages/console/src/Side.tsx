// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useObservable } from '@chattenant/design';
import { useState } from 'preact/hooks';
import { ConversationList, type ConversationListProps } from './ConversationList';
import type { Desk } from './desk';
import { Finder } from './finder';
import { Search } from './Search';
import { SearchResults } from './SearchResults';

export interface SideProps extends ConversationListProps {
  readonly desk: Desk;
  /** A conversation that was found, which may not be here yet. */
  readonly onFound: (id: string) => void;
}

/** Where conversations are chosen: from the latest, or from what was searched for. */
export function Side({ desk, onFound, ...list }: SideProps) {
  const [finder] = useState(() => new Finder((request) => desk.search(request)));
  const search = useObservable(finder);
  const searches = search.asked !== undefined;
  return (
    <div class="side">
      <Search finder={finder} />
      {searches && (
        <SearchResults
          state={search}
          chosenId={list.chosenId}
          onChoose={onFound}
          onMore={() => {
            void finder.more();
          }}
          onClose={() => {
            finder.close();
          }}
        />
      )}
      <div class="listed" hidden={searches}>
        <ConversationList {...list} />
      </div>
    </div>
  );
}
