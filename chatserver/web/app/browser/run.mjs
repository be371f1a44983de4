// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Tests in real Chromium: the built pages against a server in memory, or against a real tenant when the environment
// names one (CHATTENANT_ENDPOINT, CHATTENANT_CA, CHATTENANT_INVITATION).

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
const suite = [
  ['build/build.mjs'],
  ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.browser.config.ts', ...process.argv.slice(2)],
];
const commands = process.env['CHATTENANT_ENDPOINT'] ? [['e2e-browser.mjs', ...process.argv.slice(2)]] : suite;

for (const command of commands) {
  const { status } = spawnSync(process.execPath, command, { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
