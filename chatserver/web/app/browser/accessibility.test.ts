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
import type { VisitorPanel } from './pages/visitor.mjs';
import { SITE } from './setup';
import { eventually, useStage } from './stage';

const stage = useStage();

/** Where pictures of every state go; a folder of the caller's choice, or a temporary one. */
const pictures = process.env['CHATTENANT_SCREENSHOTS'] ?? mkdtempSync(join(tmpdir(), 'chattenant-screenshots-'));
mkdirSync(pictures, { recursive: true });

const screens: readonly (readonly [string, BrowserContextOptions, RunOnly])[] = [
  ['desktop', { viewport: { width: 1280, height: 800 } }, ALL_RULES],
  ['dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }, COLOURS],
  ['phone', { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true }, ALL_RULES],
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
    await changes(page, site.panel);
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

  /** Editing, asking before deleting, and what both leave behind. */
  async function changes(page: Page, panel: VisitorPanel): Promise<void> {
    await panel.lines.first().hover();
    await panel.edit.first().focus();
    await check(page, '05a-actions');
    await panel.edit.first().click();
    await panel.editor.fill('');
    await panel.root.getByText('Write something, or delete the message.').waitFor();
    await check(page, '05b-editing');
    await panel.editor.fill('Hello! Do you ship to Norway, and to Svalbard?');
    await panel.editor.press('Enter');
    await panel.root.getByText('(edited)').waitFor();
    await panel.lines.nth(3).hover();
    await panel.remove.last().click();
    await check(page, '05c-asking');
    await panel.confirm.click();
    await panel.root.getByText('This message was deleted').waitFor();
    stage.host.engine.fault = (frame) => (frame.type === 'delete' ? { code: 'forbidden' } : undefined);
    await panel.lines.first().hover();
    await panel.remove.first().click();
    await panel.confirm.click();
    await panel.root.getByText('Not deleted').first().waitFor();
    await check(page, '05d-changed');
  }

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
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Zoë', body: 'Hello?' });
    stage.host.agents.add('bob@acme.example', 'Bob', 'another long password');
    const bob = await stage.console();
    await bob.signIn('bob@acme.example', 'another long password');
    await agent.page.getByText('1 colleague online').waitFor({ state: 'attached' });
    await eventually(() => agent.items.count(), 5);
    await check(agent.page, '15-list');
    await agent.choose('Mia Müller');
    await agent.say('Hello Mia, yes we do. It takes three to five days.');
    await agent.log.getByText(/^(Sent|Delivered|Read)$/).waitFor();
    await agent.lines.last().getByRole('button', { name: 'Delete message' }).focus();
    await check(agent.page, '16-conversation');
    await agent.lines.last().getByRole('button', { name: 'Delete message' }).click();
    await check(agent.page, '17-asking');
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
