// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Builds the pages and the loader into the folder the server embeds, compresses them, and fails over budget.

import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { compress } from './compress.mjs';
import { emptyOut, filesIn } from './files.mjs';
import { loaderConfig, pageConfig } from './pages.mjs';
import { report } from './report.mjs';

const out = fileURLToPath(new URL('../../dist/', import.meta.url));

emptyOut(out);
/** @type {import('./report.mjs').Part[]} */
const parts = [];
for (const { name, limit, config } of [
  { name: 'loader', limit: 4_000, config: loaderConfig(out) },
  { name: 'widget', limit: 40_000, config: pageConfig('widget', out) },
  { name: 'console', limit: 60_000, config: pageConfig('console', out) },
]) {
  const before = new Set(filesIn(out));
  await build(config);
  parts.push({ name, limit, files: filesIn(out).filter((file) => !before.has(file)) });
}
compress(out);
process.exitCode = report(out, parts) ? 0 : 1;
