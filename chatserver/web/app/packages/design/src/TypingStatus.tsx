// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { text } from './text';

export interface TypingStatusProps {
  /** Who writes, empty for nobody. */
  readonly names: readonly string[];
}

/** Says that somebody else writes. Its place is kept, so that the conversation does not jump. */
export function TypingStatus({ names }: TypingStatusProps) {
  return (
    <p class="typing" aria-live="polite">
      {names.length > 0 && text.typing(names.join(', '))}
    </p>
  );
}
