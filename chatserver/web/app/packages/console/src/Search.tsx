// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useId } from '@chattenant/design';
import { MAX_SEARCH_CHARACTERS } from '@chattenant/protocol';
import { useState } from 'preact/hooks';
import { FIELDS, type Finder, type SearchField } from './finder';
import { text } from './text';

/** Asks what to look for. Emptying the field ends the search. */
export function Search({ finder }: { readonly finder: Finder }) {
  const [field, setField] = useState<SearchField>('text');
  const [value, setValue] = useState('');
  const id = useId();
  return (
    <form
      role="search"
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = value.trim();
        if (wanted === '') finder.close();
        else void finder.search(field, wanted);
      }}
    >
      <label class="unseen" for={`${id}-field`}>
        {text.searchIn}
      </label>
      <select
        id={`${id}-field`}
        class="input"
        value={field}
        onChange={({ currentTarget }) => {
          setField(FIELDS.find((candidate) => candidate === currentTarget.value) ?? 'text');
        }}
      >
        {FIELDS.map((candidate) => (
          <option key={candidate} value={candidate}>
            {text.searchFields[candidate]}
          </option>
        ))}
      </select>
      <label class="unseen" for={`${id}-value`}>
        {text.searchFor}
      </label>
      <input
        id={`${id}-value`}
        class="input"
        type="search"
        enterkeyhint="search"
        autoComplete="off"
        spellcheck={false}
        maxLength={MAX_SEARCH_CHARACTERS}
        value={value}
        onInput={({ currentTarget }) => {
          setValue(currentTarget.value);
          if (currentTarget.value === '') finder.close();
        }}
      />
      <button type="submit" class="button">
        {text.search}
      </button>
    </form>
  );
}
