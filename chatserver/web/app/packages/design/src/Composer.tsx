// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { characters, MAX_BODY_CHARACTERS, normaliseBody } from '@chattenant/protocol';
import { useId, type InputRef } from './hooks';
import { SendIcon } from './icons';
import { endsMessage } from './keys';
import { text } from './text';

export interface ComposerProps {
  readonly label: string;
  readonly draft: string;
  readonly onDraft: (draft: string) => void;
  readonly onSend: (body: string) => void;
  readonly inputRef?: InputRef;
}

/** From here on the remaining room is shown. */
const COUNT_FROM = MAX_BODY_CHARACTERS - 500;

/** Where a message is written. Enter sends it, Shift and Enter start a new line. */
export function Composer({ label, draft, onDraft, onSend, inputRef }: ComposerProps) {
  const id = useId();
  const length = characters(normaliseBody(draft));
  const over = length > MAX_BODY_CHARACTERS;
  const submit = () => {
    if (length === 0 || over) return;
    onSend(draft);
    onDraft('');
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label class="unseen" for={id}>
        {label}
      </label>
      <div class="row">
        <textarea
          id={id}
          ref={inputRef ?? null}
          class="input"
          rows={1}
          dir="auto"
          placeholder={label}
          value={draft}
          enterkeyhint="send"
          aria-invalid={over}
          aria-describedby={`${id}-count`}
          onInput={({ currentTarget }) => {
            onDraft(currentTarget.value);
          }}
          onKeyDown={(event) => {
            if (!endsMessage(event)) return;
            event.preventDefault();
            submit();
          }}
        />
        <button type="submit" class="button icon" aria-label={text.send}>
          <SendIcon />
        </button>
      </div>
      <div id={`${id}-count`} class={over ? 'count over' : 'count'} role={over ? 'alert' : undefined}>
        {length > COUNT_FROM && room(MAX_BODY_CHARACTERS - length)}
      </div>
    </form>
  );
}

export function room(left: number): string {
  return left < 0 ? text.charactersOver(-left) : text.charactersLeft(left);
}
