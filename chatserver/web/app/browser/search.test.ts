// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { BrowserContextOptions } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { ALL_RULES, COLOURS, violations } from './axe';
import { eventually, useStage } from './stage';

const stage = useStage();

/** More conversations than an agent is told of, each with a message about a parcel. */
const MANY = 25;

beforeEach(() => {
  const { engine } = stage.host;
  engine.window = 3;
  for (let count = 0; count < MANY; count += 1) {
    const self = engine.visitorOf(engine.newVisitor().token);
    if (!self) continue;
    const conversation = engine.open(self, 'x', {
      name: `Visitor ${count}`,
      email: `v${count}@example.org`,
      externalId: `K-${count}`,
    });
    engine.commit(self, conversation, 'y', `Where is parcel number${count}?`);
  }
});

describe('searching', () => {
  test('finds by words and opens a conversation the console was not told of', async () => {
    const agent = await stage.agent();
    await eventually(() => agent.items.count(), 3);
    await agent.search('PARCEL number0');
    const result = expect.stringMatching(/^Visitor 0.*Where is parcel number0\?$/) as string;
    await eventually(() => agent.results.allTextContents(), [result]);
    expect(await agent.conversations.isVisible()).toBe(false);
    await agent.results.first().click();
    await eventually(() => agent.transcript(), ['Where is parcel number0?']);
    await agent.say('On its way.');
    await eventually(() => agent.transcript(), ['Where is parcel number0?', 'On its way.']);
    await agent.page.getByRole('button', { name: 'Close search' }).click();
    await eventually(() => agent.items.count(), 4);
  });

  test('finds somebody by their address', async () => {
    const agent = await stage.agent();
    await agent.search('v7@example.org', 'E-mail');
    await eventually(() => agent.results.count(), 1);
    await agent.results.first().click();
    await eventually(() => agent.transcript(), ['Where is parcel number7?']);
    const head = agent.conversation.locator('.head');
    expect(await head.textContent()).toMatch(/v7@example\.org.*Customer number K-7/);
  });

  test('pages with the keyboard alone, and says how much was found', async () => {
    const agent = await stage.agent();
    await agent.searchFor.focus();
    await agent.page.keyboard.type('parcel');
    await agent.page.keyboard.press('Enter');
    const count = agent.found.getByRole('status');
    await eventually(() => count.textContent(), '20 found, there may be more.');
    await agent.page.getByRole('button', { name: 'Look further back' }).focus();
    await agent.page.keyboard.press('Enter');
    await eventually(() => count.textContent(), `${MANY} found.`);
    await eventually(() => agent.results.nth(20).evaluate((item) => item === document.activeElement), true);
  });

  test('says when nothing was found, and what went wrong', async () => {
    const agent = await stage.agent();
    await agent.search('elephant');
    await agent.found.getByText('Nothing found.').waitFor();
    stage.host.searchFault = 'rate_limited';
    await agent.search('parcel');
    await agent.found.getByText('Too many attempts. Please try again in 7 seconds.').waitFor();
    stage.host.searchFault = 'invalid_request';
    await agent.search('!');
    await agent.found.getByText('Please enter at least one whole word').waitFor();
    await agent.searchFor.fill('');
    await eventually(() => agent.items.count(), 3);
  });

  test('puts nothing that was asked into an address', async () => {
    const agent = await stage.agent();
    const addresses: string[] = [];
    agent.page.on('request', (request) => addresses.push(request.url()));
    await agent.search('parcel number3');
    await eventually(() => agent.results.count(), 1);
    expect(addresses.filter((address) => address.endsWith('/api/v1/agent/search'))).toHaveLength(1);
    expect(addresses.join(' ')).not.toContain('parcel');
    expect(agent.page.url()).not.toContain('parcel');
  });

  const screens: readonly (readonly [string, BrowserContextOptions, typeof ALL_RULES])[] = [
    ['on a desktop', { viewport: { width: 1280, height: 800 } }, ALL_RULES],
    ['in the dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }, COLOURS],
    ['on a phone', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }, ALL_RULES],
  ];

  test.each(screens)('is accessible %s', async (_, options, rules) => {
    const agent = await stage.agent(options);
    await agent.search('parcel');
    await eventually(() => agent.results.count(), 20);
    expect(await violations(agent.page.mainFrame(), rules)).toEqual([]);
    await agent.search('elephant');
    await agent.found.getByText('Nothing found.').waitFor();
    expect(await violations(agent.page.mainFrame(), rules)).toEqual([]);
    await agent.search('number0');
    await eventually(() => agent.results.count(), 1);
    await agent.results.first().click();
    await eventually(() => agent.transcript(), ['Where is parcel number0?']);
    expect(await violations(agent.page.mainFrame(), rules)).toEqual([]);
  });
});
