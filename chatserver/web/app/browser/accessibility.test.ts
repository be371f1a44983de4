// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunOnly } from 'axe-core';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { ALL_RULES, COLOURS, violations } from './axe';
import { CustomerSite, sitePage, sitePolicy } from './pages/site.mjs';
import { SITE } from './setup';
import { eventually, useStage } from './stage';

const stage = useStage();

/** Where pictures of every state go; a folder of the caller's choice, or a temporary one. */
const pictures = process.env['CHATTENANT_SCREENSHOTS'] ?? mkdtempSync(join(tmpdir(), 'chattenant-screenshots-'));
mkdirSync(pictures, { recursive: true });

const screens: readonly (readonly [string, BrowserContextOptions, RunOnly])[] = [
  ['desktop', { viewport: { width: 1280, height: 800 } }, ALL_RULES],
  ['dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }, COLOURS],
  ['phone', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }, ALL_RULES],
];

beforeEach(() => {
  const { origin } = stage.host;
  stage.host.sites.set(SITE, { html: sitePage(origin), policy: sitePolicy(origin) });
});

describe.each(screens)('%s: every state is accessible', (screen, options, rules) => {
  async function check(page: Page, state: string): Promise<void> {
    await page.screenshot({ path: join(pictures, `${screen}-${state}.png`) });
    // The innermost frame is what changed: the panel once it is open.
    const frame = page.frames().at(-1) ?? page.mainFrame();
    expect(await violations(frame, rules), state).toEqual([]);
  }

  test('the visitor', async () => {
    const page = await stage.person(options);
    const site = new CustomerSite(page);
    await page.goto(`${stage.host.originOf(SITE)}/`);
    await site.button.waitFor();
    await check(page, '01-button');
    await site.openPanel();
    await site.panel.question.waitFor();
    await check(page, '02-start');
    await site.panel.email.fill('nobody');
    await site.panel.startButton.click();
    await check(page, '03-mistakes');
    await site.panel.begin({ name: 'Mia Müller', email: 'mia@example.org', body: 'Hello, do you ship to Norway?' });
    await site.panel.lastSent.waitFor();
    await check(page, '04-waiting');
    const [conversation] = stage.host.engine.conversations;
    const ada = stage.host.agents.add('x@acme.example', 'Ada Lovelace', 'x');
    for (const body of ['Hello Mia, yes we do: 3 to 5 days.', 'Shall I reserve one for you?']) {
      if (conversation) stage.host.engine.fanOut(stage.host.engine.commit(ada, conversation, body, body)[0]);
    }
    await site.panel.say('Lovely, thank you! Does the price include customs, or do I pay that separately?');
    await site.panel.lastSent.waitFor();
    stage.host.engine.fault = (frame) => (frame.type === 'send' ? { code: 'forbidden' } : undefined);
    await site.panel.say('This one is refused.');
    await site.panel.root.getByText('Not sent').waitFor();
    await check(page, '05-chat');
    stage.host.engine.fault = () => 'cut';
    stage.host.engine.drop();
    await site.panel.say('Written while offline');
    await eventually(() => site.panel.status.textContent(), 'Connection lost, reconnecting…');
    await check(page, '06-reconnecting');
    stage.host.engine.fault = () => undefined;
    stage.host.engine.forgetVisitors();
    await site.panel.root.getByText('This chat can no longer be continued.').waitFor();
    await check(page, '07-over');
  });

  test('the agent', async () => {
    const agent = await stage.console(options);
    await agent.signInButton.waitFor();
    await check(agent.page, '11-sign-in');
    await agent.signIn('ada@acme.example', 'wrong password');
    await agent.page.getByText('E-mail or password is wrong.').waitFor();
    await check(agent.page, '12-wrong');
    await agent.page.goto(`${stage.host.origin}/console/#invitation=x`);
    await agent.newPassword.waitFor();
    await check(agent.page, '13-invitation');
    await agent.page.getByRole('button', { name: 'I already have an account' }).click();
    await agent.signIn('ada@acme.example', 'correct horse battery');
    await agent.page.getByText('No conversations yet.').waitFor();
    await check(agent.page, '14-empty');
    converse();
    await eventually(() => agent.items.count(), 4);
    await check(agent.page, '15-list');
    await agent.choose('Mia Müller');
    await agent.say('Hello Mia, yes we do. It takes three to five days.');
    await agent.log.getByText(/^(Sent|Delivered|Read)$/).waitFor();
    await check(agent.page, '16-conversation');
  });

  /** Four visitors who wait for an answer. */
  function converse(): void {
    const { engine } = stage.host;
    const words: readonly (readonly [string, string, readonly string[]])[] = [
      ['', '', ['Is anybody there?']],
      ['Jonas', '', ['My order 4711 has not arrived.', 'It was due on Monday.']],
      ['', 'li.wei@example.com', ['你好,请问可以开发票吗?']],
      ['Mia Müller', 'mia@example.org', ['Hello, do you ship to Norway?', 'And how long does it take?']],
    ];
    for (const [name, email, bodies] of words) {
      const { token } = engine.newVisitor();
      const self = engine.visitorOf(token);
      if (!self) continue;
      const conversation = engine.open(self, 'x', { ...(name && { name }), ...(email && { email }) });
      for (const body of bodies) engine.fanOut(engine.commit(self, conversation, body, body)[0]);
    }
  }
});
