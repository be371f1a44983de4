// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { statSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ name: string, limit: number, files: string[] }} Part what a browser loads together, limit in bytes */

/**
 * Prints the sizes of each part, as they are and after gzip and brotli, and whether gzip is within the limit. False
 * when one part is over.
 * @param {string} folder
 * @param {Part[]} parts
 * @param {(line: string) => void} print
 */
export function report(folder, parts, print = console.log) {
  /** @param {string} file */
  const size = (file) => statSync(join(folder, file)).size;
  let within = true;
  for (const { name, limit, files } of parts) {
    for (const file of files) print(row(file, [size(file), size(`${file}.gz`), size(`${file}.br`)]));
    const total = files.reduce((sum, file) => sum + size(`${file}.gz`), 0);
    const over = total > limit;
    print(`${name}: ${total} of ${limit} bytes gzip${over ? ', OVER BUDGET' : ''}\n`);
    within &&= !over;
  }
  return within;
}

/**
 * @param {string} file
 * @param {number[]} sizes
 */
function row(file, sizes) {
  return `  ${file.padEnd(32)}${sizes.map((bytes) => String(bytes).padStart(8)).join('')}`;
}
