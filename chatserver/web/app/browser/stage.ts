// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { Host } from '@chattenant/testserver';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject } from 'vitest';
import { AgentConsole } from './pages/agent.mjs';
import { VisitorPanel } from './pages/visitor.mjs';
import { Problems } from './problems.mjs';
import { SITE, TENANT } from './setup';

export const AGENT = { email: 'ada@acme.example', displayName: 'Ada Lovelace', password: 'correct horse battery' };

/** How long anything may take on a machine that has other things to do; far more than it takes. */
const PATIENCE_MS = 30_000;

const assets = fileURLToPath(new URL('../../dist/', import.meta.url));
const info = {
  protocol: 1,
  displayName: 'Acme GmbH',
  policyURL: 'https://www.acme.example/privacy',
  region: { name: 'eu-central', displayName: 'Frankfurt', jurisdiction: 'DE' },
};

/** A fresh server for each test, and pages on it. Every page is watched; a problem fails its test. */
export class Stage {
  host!: Host;
  browser!: Browser;
  problems = new Problems();
  #contexts: BrowserContext[] = [];

  async open(): Promise<void> {
    this.problems = new Problems();
    this.host = new Host({ key: inject('key'), cert: inject('cert'), assets, info, tenant: TENANT, site: SITE });
    this.host.agents.add(AGENT.email, AGENT.displayName, AGENT.password);
    await this.host.listen();
  }

  async close(): Promise<void> {
    for (const context of this.#contexts) await context.close();
    this.#contexts = [];
    await this.host.close();
  }

  /** A person with a browser profile of their own. */
  async person(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    this.#contexts.push(context);
    const page = await context.newPage();
    this.problems.watch(page);
    return page;
  }

  /** A visitor whose panel has a tab of its own. */
  async visitor(options?: BrowserContextOptions): Promise<VisitorPanel & { root: Page }> {
    const page = await this.person(options);
    await page.goto(`${this.host.origin}/widget/`);
    return new VisitorPanel(page) as VisitorPanel & { root: Page };
  }

  /** An agent in front of the console, not signed in. */
  async console(options?: BrowserContextOptions): Promise<AgentConsole> {
    const page = await this.person(options);
    await page.goto(`${this.host.origin}/console/`);
    return new AgentConsole(page);
  }

  /** An agent at their desk. */
  async agent(options?: BrowserContextOptions): Promise<AgentConsole> {
    const agent = await this.console(options);
    await agent.signIn(AGENT.email, AGENT.password);
    await agent.signOutButton.waitFor();
    return agent;
  }
}

/** A stage for the tests of one file. */
export function useStage(): Stage {
  const stage = new Stage();
  beforeAll(async () => {
    stage.browser = await chromium.connect(inject('browser'));
  });
  beforeEach(() => stage.open());
  afterEach(async () => {
    await stage.close();
    expect(stage.problems.found).toEqual([]);
  });
  afterAll(() => stage.browser.close());
  return stage;
}

/** Waits until the value is as expected. */
export async function eventually<T>(read: () => T | Promise<T>, expected: T): Promise<void> {
  await expect.poll(read, { timeout: PATIENCE_MS, interval: 30 }).toEqual(expected);
}
