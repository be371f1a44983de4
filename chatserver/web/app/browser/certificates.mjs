// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Makes an authority and a certificate of it for the given names, valid for a day. `remove` deletes all files.
 * @param {string[]} names
 */
export function makeCertificates(names) {
  const folder = mkdtempSync(join(tmpdir(), 'chattenant-certificates-'));
  const file = (/** @type {string} */ name) => join(folder, name);
  const openssl = (/** @type {string[]} */ ...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '1'];
  const ca = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=ChatTenant test authority'];
  openssl('req', '-x509', ...key, ...ca);
  const san = names.map((name) => `DNS:${name}`).join(',');
  const leaf = ['-keyout', file('leaf.key'), '-out', file('leaf.pem'), '-subj', '/CN=test'];
  const extensions = ['-addext', `subjectAltName=${san}`, '-addext', 'basicConstraints=critical,CA:false'];
  openssl('req', '-x509', ...key, ...leaf, ...extensions, '-CA', file('ca.pem'), '-CAkey', file('ca.key'));
  return {
    caFile: file('ca.pem'),
    key: readFileSync(file('leaf.key'), 'utf8'),
    cert: readFileSync(file('leaf.pem'), 'utf8'),
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}
