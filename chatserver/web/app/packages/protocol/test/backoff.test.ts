// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { backoff } from '../src';

const ceiling = (failures: number) => backoff(failures, () => 1);

describe('back-off', () => {
  test('doubles from half a second to thirty', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map(ceiling)).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  test('spreads clients over the whole delay', () => {
    expect([0, 0.25, 0.5].map((random) => backoff(3, () => random))).toEqual([0, 1000, 2000]);
  });
});
