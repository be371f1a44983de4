// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/** Debian's browser, or another one of the caller's choice. */
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** A browser for tests: it calls nobody but the pages it is given. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Makes a home folder whose certificate database trusts one authority: certificates are checked as in any browser, and
 * nothing outside this folder comes to trust it.
 * @param {string} caFile certificate of the authority, PEM
 */
function trustingHome(caFile) {
  const home = mkdtempSync(join(tmpdir(), 'chattenant-browser-'));
  const database = join(home, '.pki', 'nssdb');
  mkdirSync(database, { recursive: true, mode: 0o700 });
  const certutil = (/** @type {string[]} */ ...args) =>
    execFileSync('certutil', [...args, '-d', `sql:${database}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  certutil('-N', '--empty-password');
  certutil('-A', '-n', 'authority under test', '-t', 'C,,', '-i', caFile);
  return home;
}

/**
 * Starts Chromium trusting the given authority. `close` ends it and removes its home.
 * @param {{ caFile: string, resolve?: string[] }} options resolve: `HOST=ADDRESS`, for names no resolver knows
 */
export async function launchChromium({ caFile, resolve = [] }) {
  const home = trustingHome(caFile);
  const removeHome = () => {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  const rules = resolve.map((rule) => `MAP ${rule.replace('=', ' ')}`).join(',');
  const server = await chromium
    .launchServer({
      executablePath: EXECUTABLE,
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
      args: [...ARGUMENTS, ...(rules === '' ? [] : [`--host-resolver-rules=${rules}`])],
    })
    .catch((/** @type {unknown} */ error) => {
      removeHome();
      throw error;
    });
  return {
    endpoint: server.wsEndpoint(),
    close: async () => {
      await server.close();
      removeHome();
    },
  };
}
