// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { exchange } from './exchange.mjs';
import { SITE, STRANGER } from './setup';
import { useStage } from './stage';

const stage = useStage();

function talk(site?: string): Promise<void> {
  const { browser, host } = stage;
  const invitation = host.agents.invite('e2e@acme.example', 'E2E Agent');
  return exchange({ browser, endpoint: host.origin, invitation, patienceMs: 10_000, ...(site && { site }) });
}

describe('the exchange that is also held with real tenants', () => {
  test('passes with the panel in a tab of its own', () => talk());

  test('passes with the panel on an allowed site', () => talk(stage.host.originOf(SITE)));

  test('fails on a site that may not embed the panel', async () => {
    const { browser, host } = stage;
    const invitation = host.agents.invite('e2e@acme.example', 'E2E Agent');
    const site = host.originOf(STRANGER);
    await expect(exchange({ browser, endpoint: host.origin, invitation, patienceMs: 2_000, site })).rejects.toThrow();
  });

  test('fails when the answer never arrives', async () => {
    const { browser, host } = stage;
    const invitation = host.agents.invite('e2e@acme.example', 'E2E Agent');
    host.engine.fault = (frame, self) => (self?.kind === 'agent' && frame.type === 'send' ? 'swallow' : undefined);
    await expect(exchange({ browser, endpoint: host.origin, invitation, patienceMs: 2_000 })).rejects.toThrow();
  });
});
