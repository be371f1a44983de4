// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// A visitor and an agent talk through the pages of a running tenant, in real Chromium, over TLS that is checked:
//
//   node e2e-browser.mjs --endpoint https://acme.localhost:8443 --ca FILE --invitation TOKEN [--site ORIGIN]
//                        [--resolve HOST=ADDRESS]...
//
// Each option may come from the environment instead (CHATTENANT_ENDPOINT, CHATTENANT_CA, CHATTENANT_INVITATION,
// CHATTENANT_SITE), which keeps the invitation out of the process list. Exits with 1 when anything is not as it should.

import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { launchChromium } from './browser/chromium.mjs';
import { exchange } from './browser/exchange.mjs';

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string' },
    ca: { type: 'string' },
    invitation: { type: 'string' },
    site: { type: 'string' },
    resolve: { type: 'string', multiple: true },
  },
});
const endpoint = values.endpoint ?? process.env['CHATTENANT_ENDPOINT'];
const caFile = values.ca ?? process.env['CHATTENANT_CA'];
const invitation = values.invitation ?? process.env['CHATTENANT_INVITATION'];
const site = values.site ?? process.env['CHATTENANT_SITE'];

if (!endpoint || !caFile || !invitation) {
  console.error('--endpoint, --ca and --invitation are needed');
  process.exit(2);
}

const began = performance.now();
const onStep = (/** @type {string} */ step) => {
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${step}`);
};
const server = await launchChromium({ caFile, resolve: values.resolve ?? [] });
try {
  const browser = await chromium.connect(server.endpoint);
  // Page and tenant share a machine, which may be busy with more.
  const patienceMs = 60_000;
  const { origin } = new URL(endpoint);
  await exchange({ browser, endpoint: origin, invitation, patienceMs, onStep, ...(site && { site }) });
} catch (error) {
  // A call log names addresses the browser went to; the invitation is in one of them.
  const text = error instanceof Error ? error.message : String(error);
  console.error(`failed: ${text.replaceAll(encodeURIComponent(invitation), '…')}`);
  process.exitCode = 1;
} finally {
  await server.close();
}
