// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Field } from '@chattenant/design';
import { MAX_PASSWORD_CHARACTERS } from '@chattenant/protocol';
import { useState } from 'preact/hooks';
import { text } from './text';

export interface PasswordFieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly autoComplete: 'current-password' | 'new-password';
  readonly value: string;
  readonly problem: string | undefined;
  readonly onValue: (value: string) => void;
}

/** A password that can be pasted, filled in by a password manager, and looked at. */
export function PasswordField(props: PasswordFieldProps) {
  const [visible, setVisible] = useState(false);
  return (
    <>
      <Field {...props} type={visible ? 'text' : 'password'} required maxLength={MAX_PASSWORD_CHARACTERS} />
      <label class="check">
        <input
          type="checkbox"
          checked={visible}
          onInput={({ currentTarget }) => {
            setVisible(currentTarget.checked);
          }}
        />
        {text.showPassword}
      </label>
    </>
  );
}
