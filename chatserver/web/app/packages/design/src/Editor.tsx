// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { characters, MAX_BODY_CHARACTERS, normaliseBody } from '@chattenant/protocol';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { room } from './Composer';
import { useId } from './hooks';
import { endsMessage, onEscape } from './keys';
import { text } from './text';

export interface EditorProps {
  readonly body: string;
  /** Called with text that may be sent. */
  readonly onSave: (body: string) => void;
  readonly onCancel: () => void;
}

/** Where an own message is written anew. Enter saves, Escape leaves it as it was. */
export function Editor({ body, onSave, onCancel }: EditorProps) {
  const id = useId();
  const input = useRef<HTMLTextAreaElement>(null);
  const [draft, setDraft] = useState(body);
  const problem = problemOf(draft);
  useLayoutEffect(() => {
    const element = input.current;
    element?.focus();
    element?.setSelectionRange(element.value.length, element.value.length);
  }, []);
  const save = () => {
    if (problem === undefined) onSave(normaliseBody(draft));
    else input.current?.focus();
  };
  return (
    // Escape is heard from the text and from both buttons.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- see above
    <form
      class="editor"
      onKeyDown={onEscape(onCancel)}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <label class="unseen" for={id}>
        {text.acts.edit}
      </label>
      <textarea
        id={id}
        ref={input}
        class="input"
        rows={1}
        dir="auto"
        value={draft}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-problem`}
        onInput={({ currentTarget }) => {
          setDraft(currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (!endsMessage(event)) return;
          event.preventDefault();
          save();
        }}
      />
      <div class="buttons">
        <span id={`${id}-problem`} class="problem" role="alert">
          {problem}
        </span>
        <button type="submit" class="button small">
          {text.save}
        </button>
        <button type="button" class="button quiet small" onClick={onCancel}>
          {text.cancel}
        </button>
      </div>
    </form>
  );
}

function problemOf(draft: string): string | undefined {
  const length = characters(normaliseBody(draft));
  if (length === 0) return text.nothingLeft;
  return length > MAX_BODY_CHARACTERS ? room(MAX_BODY_CHARACTERS - length) : undefined;
}
