// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

export const FIRST_DELAY_MS = 500;
export const LONGEST_DELAY_MS = 30_000;

/**
 * Milliseconds to wait before the next attempt, after `failures` failed ones in a row. Full jitter: a server that comes
 * back is not met by all its clients at once.
 */
export function backoff(failures: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 16));
  return random() * ceiling;
}
