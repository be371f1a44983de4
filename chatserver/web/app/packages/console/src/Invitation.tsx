// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { characters, MIN_PASSWORD_CHARACTERS } from '@chattenant/protocol';
import { useState } from 'preact/hooks';
import type { Desk, DeskState } from './desk';
import { Gate } from './Gate';
import { PasswordField } from './PasswordField';
import { Submit } from './Submit';
import { text } from './text';

export interface InvitationProps {
  readonly desk: Desk;
  readonly state: DeskState;
}

/** Setting up a new account with an invitation. */
export function Invitation({ desk, state: { info, busy, problem } }: InvitationProps) {
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const short = characters(password) < MIN_PASSWORD_CHARACTERS;
  return (
    <Gate info={info} heading={text.welcome}>
      <p>{text.invited}</p>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (!short) void desk.redeem(password);
        }}
      >
        <PasswordField
          label={text.newPassword}
          hint={`(${text.passwordRule})`}
          autoComplete="new-password"
          value={password}
          problem={tried && short ? text.passwordShort : undefined}
          onValue={setPassword}
        />
        <div role="alert">{problem && <p class="alert">{text.invitationProblem(problem)}</p>}</div>
        <Submit busy={busy} busyLabel={text.creating} label={text.create} />
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            void desk.load();
          }}
        >
          {text.haveAccount}
        </button>
      </form>
    </Gate>
  );
}
