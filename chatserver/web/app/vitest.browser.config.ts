// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    globalSetup: ['browser/setup.ts'],
    environment: 'node',
    // Far more than any takes: a busy machine is no failure.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // One browser for all: more than two files at a time would only wait for it.
    maxWorkers: 2,
    isolate: false,
  },
});
