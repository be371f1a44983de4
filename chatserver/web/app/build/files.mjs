// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What the folder must keep when it is emptied: it makes git keep the folder. */
const KEPT = '.gitkeep';

/**
 * Empties the output folder.
 * @param {string} folder
 */
export function emptyOut(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name !== KEPT) rmSync(join(folder, name), { recursive: true });
  }
}

/**
 * All files below the folder, relative to it and sorted, without the kept one.
 * @param {string} folder
 * @returns {string[]}
 */
export function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== KEPT)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
