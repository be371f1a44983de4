// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { AGENT, eventually, useStage } from './stage';

const stage = useStage();

describe('signing in', () => {
  test('refuses wrong credentials, says when there were too many, and lets the right ones in', async () => {
    const agent = await stage.console();
    await agent.signIn(AGENT.email, 'wrong');
    await agent.page.getByText('E-mail or password is wrong.').waitFor();
    stage.host.agents.limited = true;
    await agent.signIn(AGENT.email, 'wrong');
    await agent.page.getByText('Too many attempts. Please try again in 30 seconds.').waitFor();
    stage.host.agents.limited = false;
    await agent.signIn(AGENT.email, AGENT.password);
    await agent.signOutButton.waitFor();
    await agent.page.getByRole('banner').getByText(AGENT.displayName).first().waitFor();
    await eventually(() => agent.status.textContent(), 'Connected');
  });

  test('leaves no secret in the page or its storage', async () => {
    const agent = await stage.agent();
    expect(await agent.page.evaluate(() => localStorage.length + sessionStorage.length)).toBe(0);
    expect(await agent.page.evaluate(() => document.cookie)).toBe('');
    await agent.page.reload();
    await agent.signOutButton.waitFor();
  });

  test('an invitation leaves the address at once, sets a password and works once', async () => {
    const token = stage.host.agents.invite('grace@acme.example', 'Grace Hopper');
    const page = await stage.person();
    const { AgentConsole } = await import('./pages/agent.mjs');
    const agent = new AgentConsole(page);
    await page.goto(`${stage.host.origin}/console/#invitation=${token}`);
    await agent.newPassword.waitFor();
    expect(page.url()).toBe(`${stage.host.origin}/console/`);
    expect(await page.evaluate(() => history.length)).toBeLessThanOrEqual(2);
    await agent.newPassword.fill('too short');
    await agent.setUpButton.click();
    await page.getByText('Please choose at least 12 characters.').waitFor();
    await agent.newPassword.fill('a longer password');
    await agent.setUpButton.click();
    await agent.signOutButton.waitFor();
    await agent.signOutButton.click();
    await agent.signInButton.waitFor();
    await page.goto(`${stage.host.origin}/console/#invitation=${token}`);
    await agent.newPassword.fill('another password');
    await agent.setUpButton.click();
    await page.getByText('This invitation is no longer valid.').waitFor();
    await page.getByRole('button', { name: 'I already have an account' }).click();
    await agent.signIn('grace@acme.example', 'a longer password');
    await agent.signOutButton.waitFor();
  });

  test('signing out closes the connection and shows nothing of the chats', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'secret question' });
    await agent.choose('secret question');
    await agent.signOutButton.click();
    await agent.signInButton.waitFor();
    expect(await agent.page.content()).not.toContain('secret question');
    expect(await agent.page.getByText('Your session has ended.').count()).toBe(0);
    await eventually(() => stage.host.engine.connections, 1);
  });

  test('a session that ends by itself asks to sign in again, and goes on where it was', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'hello' });
    await agent.choose('hello');
    const { engine } = stage.host;
    engine.fault = (frame, self) => (self?.kind === 'agent' && frame.type === 'send' ? 'swallow' : undefined);
    await agent.say('an answer on its way');
    const [account] = [stage.host.agents.check(AGENT.email, AGENT.password)];
    if (account) stage.host.signOut(account);
    await agent.page.getByText('Your session has ended.').waitFor();
    expect(await agent.page.content()).not.toContain('hello');
    engine.fault = () => undefined;
    await agent.signIn(AGENT.email, AGENT.password);
    await eventually(() => visitor.transcript(), ['hello', 'an answer on its way']);
  });
});

describe('the desk', () => {
  test('lists conversations by activity and marks what was not read', async () => {
    const agent = await stage.agent();
    const first = await stage.visitor();
    await first.begin({ name: 'First', body: 'one' });
    const second = await stage.visitor();
    await second.begin({ name: 'Second', body: 'two' });
    await eventually(() => agent.items.count(), 2);
    await eventually(() => agent.items.first().locator('.name').textContent(), 'Second');
    await eventually(() => agent.page.title(), '(2) Acme GmbH Console');
    await first.say('three');
    await eventually(() => agent.items.first().textContent(), expectItem('First', 'three', 2));
    await agent.choose('First');
    await eventually(() => agent.items.first().locator('.badge').count(), 0);
    await eventually(() => agent.items.first().getAttribute('aria-current'), 'true');
    await eventually(() => agent.page.title(), '(1) Acme GmbH Console');
    await agent.page.reload();
    await eventually(() => agent.page.title(), '(2) Acme GmbH Console');
  });

  test('keeps an answer that was begun while another conversation is looked at', async () => {
    const agent = await stage.agent();
    for (const name of ['First', 'Second']) {
      const visitor = await stage.visitor();
      await visitor.begin({ name, body: `from ${name}` });
    }
    await agent.choose('First');
    await agent.answer.fill('half an ans');
    await agent.choose('Second');
    await eventually(() => agent.answer.inputValue(), '');
    await agent.choose('First');
    await eventually(() => agent.answer.inputValue(), 'half an ans');
  });

  test('on a phone shows the list or the conversation', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Mia', body: 'hello' });
    const agent = await stage.agent({ viewport: { width: 360, height: 640 } });
    await agent.choose('Mia');
    await eventually(() => agent.conversations.isVisible(), false);
    await agent.back.click();
    await eventually(() => agent.conversations.isVisible(), true);
    await eventually(() => agent.log.count(), 0);
  });

  test('two agents see the same order, each with their own name on what they said', async () => {
    stage.host.agents.add('bob@acme.example', 'Bob', 'another long password');
    const ada = await stage.agent();
    const bob = await stage.console();
    await bob.signIn('bob@acme.example', 'another long password');
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'hello' });
    await ada.choose('hello');
    await ada.say('from Ada');
    await bob.choose('from Ada');
    await bob.say('from Bob');
    await eventually(() => ada.transcript(), ['hello', 'from Ada', 'from Bob']);
    await eventually(() => visitor.log.locator('.author').allTextContents(), ['Ada Lovelace', 'Bob']);
  });
});

/** The text of a list entry, whatever the time. */
function expectItem(name: string, preview: string, unread: number): unknown {
  return expect.stringMatching(new RegExp(`^Online${name}\\d\\d:\\d\\d${preview}${unread}${unread} unread$`));
}
