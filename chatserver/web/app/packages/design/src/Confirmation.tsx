// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useLayoutEffect, useRef } from 'preact/hooks';
import { onEscape } from './keys';
import { text } from './text';

export interface ConfirmationProps {
  readonly question: string;
  /** Id of what it is about. */
  readonly about: string;
  readonly onConfirm: () => void;
  readonly onCancel: () => void;
}

/** Asks before something is gone. Begins at the harmless answer; Escape gives it too. */
export function Confirmation({ question, about, onConfirm, onCancel }: ConfirmationProps) {
  const harmless = useRef<HTMLButtonElement>(null);
  // Before the next key is read: an effect after painting would take the focus from where that key brought it.
  useLayoutEffect(() => {
    harmless.current?.focus();
  }, []);
  return (
    // Escape is heard from both buttons.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- see above
    <div class="confirm" role="group" aria-label={question} aria-describedby={about} onKeyDown={onEscape(onCancel)}>
      <span>{question}</span>
      <button type="button" class="button danger small" onClick={onConfirm}>
        {text.deleteIt}
      </button>
      <button ref={harmless} type="button" class="button quiet small" onClick={onCancel}>
        {text.keep}
      </button>
    </div>
  );
}
