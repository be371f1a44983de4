// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Asset {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A built file as the chat server would send it, brotli where the browser takes it. */
export function assetAt(folder: string, path: string, acceptEncoding: string): Asset | undefined {
  const name = path.endsWith('/') ? `${path}index.html` : path;
  const file = join(folder, name);
  const type = types[extname(name)];
  if (type === undefined || name.includes('..') || !existsSync(file)) return undefined;
  const encoding = acceptEncoding.includes('br') ? { suffix: '.br', name: 'br' } : { suffix: '.gz', name: 'gzip' };
  return {
    headers: { 'Content-Type': type, 'Content-Encoding': encoding.name, 'X-Content-Type-Options': 'nosniff' },
    body: readFileSync(file + encoding.suffix),
  };
}
