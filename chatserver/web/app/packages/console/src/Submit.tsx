// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

export interface SubmitProps {
  readonly busy: boolean;
  readonly label: string;
  readonly busyLabel: string;
}

export function Submit({ busy, label, busyLabel }: SubmitProps) {
  return (
    <button type="submit" class={busy ? 'button busy' : 'button'} aria-disabled={busy}>
      {busy ? busyLabel : label}
    </button>
  );
}
