// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** Escape ends what it was pressed in, and not also what is around it. */
export function onEscape(end: () => void): (event: KeyboardEvent) => void {
  return (event) => {
    if (event.key !== 'Escape' || event.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    end();
  };
}

/** Enter ends a message, Shift and Enter start a new line of it. */
export function endsMessage({ key, shiftKey, isComposing }: KeyboardEvent): boolean {
  return key === 'Enter' && !shiftKey && !isComposing;
}
