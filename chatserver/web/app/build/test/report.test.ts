// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compress } from '../compress.mjs';
import { emptyOut, filesIn } from '../files.mjs';
import { report } from '../report.mjs';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chattenant-build-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, '.gitkeep'), '');
  writeFileSync(join(folder, 'assets', 'page.js'), 'let x = 1;\n'.repeat(100));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('the build', () => {
  test('every file is there plain, as gzip and as brotli', () => {
    compress(folder);
    expect(filesIn(folder)).toEqual(['assets/page.js', 'assets/page.js.br', 'assets/page.js.gz']);
    const read = (name: string) => readFileSync(join(folder, 'assets', name));
    expect(gunzipSync(read('page.js.gz'))).toEqual(read('page.js'));
    expect(brotliDecompressSync(read('page.js.br'))).toEqual(read('page.js'));
  });

  test('a part over its budget fails, and only that', () => {
    compress(folder);
    const lines: string[] = [];
    const reportWithin = (limit: number) =>
      report(folder, [{ name: 'page', limit, files: ['assets/page.js'] }], (line) => lines.push(line));
    expect(reportWithin(1_000)).toBe(true);
    expect(lines.join('\n')).not.toContain('OVER BUDGET');
    expect(reportWithin(10)).toBe(false);
    expect(lines.join('\n')).toContain('OVER BUDGET');
  });

  test('emptying keeps what makes git keep the folder', () => {
    emptyOut(folder);
    expect(filesIn(folder)).toEqual([]);
    expect(readFileSync(join(folder, '.gitkeep'), 'utf8')).toBe('');
  });
});
