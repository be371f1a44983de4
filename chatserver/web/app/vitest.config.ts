// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'build/test/**/*.test.ts'],
    environment: 'node',
    // Far more than any takes: a busy machine is no failure.
    testTimeout: 30_000,
  },
});
