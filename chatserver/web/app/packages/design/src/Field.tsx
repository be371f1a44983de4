// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useId } from 'preact/hooks';

export interface FieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly type?: 'text' | 'email' | 'password';
  readonly autoComplete: string;
  readonly value: string;
  readonly maxLength: number;
  readonly required?: boolean;
  /** What is wrong with the value, tied to the input for everyone who cannot see it. */
  readonly problem?: string | undefined;
  readonly onValue: (value: string) => void;
}

/** One line of input with its label. */
export function Field({ label, hint, type = 'text', problem, onValue, ...rest }: FieldProps) {
  const id = useId();
  // Preact's types describe one kind of input at a time.
  const kind = { type } as { type: 'text' };
  return (
    <div class="field">
      <label for={id}>
        {label} {hint !== undefined && <span class="hint">{hint}</span>}
      </label>
      <input
        id={id}
        class="input"
        {...kind}
        spellcheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-problem`}
        {...rest}
        onInput={({ currentTarget }) => {
          onValue(currentTarget.value);
        }}
      />
      <p id={`${id}-problem`} class="problem">
        {problem}
      </p>
    </div>
  );
}
