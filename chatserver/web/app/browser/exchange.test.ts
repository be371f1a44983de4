// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { exchange } from './exchange.mjs';
import { SITE, STRANGER } from './setup';
import { useStage } from './stage';

const stage = useStage();

function talk(site?: string): Promise<void> {
  const { browser, host } = stage;
  const invitation = host.agents.invite('e2e@acme.example', 'E2E Agent');
  return exchange({ browser, endpoint: host.origin, invitation, patienceMs: 30_000, ...(site && { site }) });
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

/** The command as the end-to-end suite runs it. */
function command(...args: string[]): Promise<{ code: number; output: string }> {
  const script = fileURLToPath(new URL('../e2e-browser.mjs', import.meta.url));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
    });
  });
}

describe('the command', () => {
  test('exits with 0 when all is well, over a certificate of the given authority', async () => {
    const invitation = stage.host.agents.invite('e2e@acme.example', 'E2E Agent');
    const options = ['--endpoint', stage.host.origin, '--ca', inject('caFile'), '--invitation', invitation];
    const { code, output } = await command(...options);
    expect(output).toContain('the agent signed out');
    expect(code).toBe(0);
  });

  test('exits with 1 when it is not, and does not print the invitation', async () => {
    const options = ['--endpoint', 'https://acme.localhost:1', '--ca', inject('caFile'), '--invitation', 'sesame open'];
    const { code, output } = await command(...options);
    expect(output).toContain('failed: ');
    expect(output).not.toMatch(/sesame/);
    expect(code).toBe(1);
  });

  test('exits with 2 when it is not told enough', async () => {
    expect((await command('--endpoint', stage.host.origin)).code).toBe(2);
  });
});
