// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { BackIcon } from '@chattenant/design';
import { text } from './text';

export interface OpeningProps {
  /** A conversation was chosen that is not here yet. */
  readonly asked: boolean;
  /** There is something to choose. */
  readonly hint: boolean;
  readonly onBack: () => void;
}

/** Where the conversation will be. */
export function Opening({ asked, hint, onBack }: OpeningProps) {
  if (!asked) return <p class="wait">{hint && text.choose}</p>;
  return (
    <>
      <button type="button" class="button icon quiet back" aria-label={text.back} onClick={onBack}>
        <BackIcon />
      </button>
      <p class="wait busy" role="status">
        {text.loading}
      </p>
    </>
  );
}
