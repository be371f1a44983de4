// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Field, useId } from '@chattenant/design';
import {
  characters,
  MAX_BODY_CHARACTERS,
  MAX_EMAIL_CHARACTERS,
  MAX_NAME_CHARACTERS,
  normaliseBody,
  type ApiError,
  type Contact,
  type Info,
} from '@chattenant/protocol';
import { useRef, useState } from 'preact/hooks';
import { Notice } from './Notice';
import type { FirstWords } from './panel';
import { text } from './text';

export interface StartFormProps {
  readonly info: Info;
  readonly busy: boolean;
  readonly ended: boolean;
  readonly problem: ApiError | undefined;
  readonly onBegin: (words: FirstWords) => void;
}

/** The first screen: who answers, what becomes of it, and the first message. Name and e-mail are voluntary. */
export function StartForm({ info, busy, ended, problem, onBegin }: StartFormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [body, setBody] = useState('');
  const [tried, setTried] = useState(false);
  const id = useId();
  const wrong = tried ? mistakes(email, body) : {};
  const submit = () => {
    setTried(true);
    const { email: badEmail, body: badBody } = mistakes(email, body);
    if (badEmail ?? badBody) form.current?.querySelector<HTMLElement>(badEmail ? '[type=email]' : 'textarea')?.focus();
    else if (!busy) onBegin({ contact: contactOf(name, email), body });
  };
  return (
    <form
      ref={form}
      class="start"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <h2 tabIndex={-1}>{text.question}</h2>
      {info.available !== undefined && <p class="here">{info.available ? text.writeToUs : text.leaveMessage}</p>}
      {ended && <p class="alert mild">{text.ended}</p>}
      <Notice info={info} brief={false} />
      <Field
        label={text.name}
        hint={text.optional}
        autoComplete="name"
        value={name}
        maxLength={MAX_NAME_CHARACTERS}
        onValue={setName}
      />
      <Field
        label={text.email}
        hint={text.optional}
        type="email"
        autoComplete="email"
        value={email}
        maxLength={MAX_EMAIL_CHARACTERS}
        problem={wrong.email}
        onValue={setEmail}
      />
      <div class="field">
        <label for={id}>{text.message}</label>
        <textarea
          id={id}
          class="input"
          rows={3}
          dir="auto"
          required
          value={body}
          aria-invalid={wrong.body !== undefined}
          aria-describedby={`${id}-problem`}
          onInput={({ currentTarget }) => {
            setBody(currentTarget.value);
          }}
        />
        <p id={`${id}-problem`} class="problem">
          {wrong.body}
        </p>
      </div>
      <div role="alert">{problem && <p class="alert">{text.problem(problem)}</p>}</div>
      <button type="submit" class={busy ? 'button busy' : 'button'} aria-disabled={busy}>
        {busy ? text.starting : text.start}
      </button>
    </form>
  );
}

function mistakes(email: string, body: string): { email?: string; body?: string } {
  const length = characters(normaliseBody(body));
  return {
    ...(email.trim() !== '' && !/^[^@\s]+@[^@\s]+$/.test(email.trim()) && { email: text.emailWrong }),
    ...(length === 0 && { body: text.messageMissing }),
    ...(length > MAX_BODY_CHARACTERS && { body: text.tooLong }),
  };
}

/** Only what was filled in. */
function contactOf(name: string, email: string): Contact {
  return {
    ...(normaliseBody(name) !== '' && { name: normaliseBody(name) }),
    ...(normaliseBody(email) !== '' && { email: normaliseBody(email) }),
  };
}
