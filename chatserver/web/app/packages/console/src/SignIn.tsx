// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Field } from '@chattenant/design';
import { MAX_EMAIL_CHARACTERS } from '@chattenant/protocol';
import { useState } from 'preact/hooks';
import type { Desk, DeskState } from './desk';
import { Gate } from './Gate';
import { PasswordField } from './PasswordField';
import { Submit } from './Submit';
import { text } from './text';

export interface SignInProps {
  readonly desk: Desk;
  readonly state: DeskState;
  readonly ended: boolean;
}

/** Signing in with a local account. */
export function SignIn({ desk, state: { info, busy, problem }, ended }: SignInProps) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const missing = (value: string) => (tried && value === '' ? text.missing : undefined);
  return (
    <Gate info={info} heading={text.signIn}>
      {ended && <p class="alert mild">{text.sessionEnded}</p>}
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (email !== '' && password !== '') void desk.signIn(email.trim(), password);
        }}
      >
        <Field
          label={text.email}
          type="email"
          autoComplete="username"
          required
          value={email}
          maxLength={MAX_EMAIL_CHARACTERS}
          problem={missing(email)}
          onValue={setEmail}
        />
        <PasswordField
          label={text.password}
          autoComplete="current-password"
          value={password}
          problem={missing(password)}
          onValue={setPassword}
        />
        <div role="alert">{problem && <p class="alert">{text.signInProblem(problem)}</p>}</div>
        <Submit busy={busy} busyLabel={text.signingIn} label={text.signIn} />
      </form>
    </Gate>
  );
}
