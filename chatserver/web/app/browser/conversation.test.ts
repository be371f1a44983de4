// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { AGENT, eventually, useStage } from './stage';

const stage = useStage();

describe('a conversation', () => {
  test('goes from the visitor to the agent and back through both pages', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Mia', email: 'mia@example.org', body: 'Do you ship to Norway?' });
    await agent.choose('Mia');
    await agent.conversation.getByText('mia@example.org').first().waitFor();
    await eventually(() => agent.transcript(), ['Do you ship to Norway?']);
    await agent.say('We do.');
    await eventually(() => visitor.transcript(), ['Do you ship to Norway?', 'We do.']);
    await visitor.lines.last().getByText(AGENT.displayName).first().waitFor();
    await visitor.say('Thank you!');
    await eventually(() => agent.transcript(), ['Do you ship to Norway?', 'We do.', 'Thank you!']);
    // The agent has the conversation open, so what was said is read.
    await eventually(() => visitor.log.getByText('Read', { exact: true }).count(), 2);
  });

  test('shows who writes, and only while they do', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Mia', body: 'Hello?' });
    await agent.choose('Mia');
    await agent.say('Hello Mia.');
    await agent.answer.fill('Let me');
    await visitor.typing.waitFor();
    expect(await visitor.typing.textContent()).toContain(AGENT.displayName);
    await agent.answer.fill('');
    await visitor.typing.waitFor({ state: 'detached' });
  });

  test('survives a server that drops everyone and loses acknowledgements: nothing lost, nothing twice', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await agent.choose('one');
    let faults = 0;
    stage.host.engine.fault = (frame) => (frame.type === 'send' && faults++ < 2 ? 'cut-after-commit' : undefined);
    await visitor.say('two');
    await agent.say('three');
    await visitor.say('four');
    stage.host.engine.drop();
    await visitor.say('five');
    const all = ['five', 'four', 'one', 'three', 'two'];
    await eventually(async () => (await visitor.transcript()).sort(), all);
    await eventually(async () => (await agent.transcript()).sort(), all);
    // Who said something sees it last until it has its place.
    const differs = async () => (await agent.transcript()).join() !== (await visitor.transcript()).join();
    await eventually(differs, false);
    expect(faults).toBeGreaterThan(1);
    await eventually(() => visitor.status.textContent(), 'Ada Lovelace is here');
  });

  test('shows what is on its way, what waits and what was refused, and sends it again on request', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.lastSent.waitFor();
    stage.host.engine.fault = (frame) => (frame.type === 'send' ? 'swallow' : undefined);
    await visitor.say('two');
    await visitor.lines.last().getByText('Sending…').waitFor();
    stage.host.engine.fault = (frame) => (frame.type === 'send' ? { code: 'forbidden' } : undefined);
    stage.host.engine.drop();
    await visitor.lines.last().getByText('Not sent').waitFor();
    stage.host.engine.fault = () => undefined;
    await visitor.lines.last().getByRole('button', { name: 'Try again' }).click();
    await visitor.lastSent.waitFor();
    expect(stage.host.engine.conversations[0]?.events.map(({ body }) => body)).toEqual(['one', 'two']);
  });

  test('a message that was refused can be removed', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.lastSent.waitFor();
    stage.host.engine.fault = (frame) => (frame.type === 'send' ? { code: 'forbidden' } : undefined);
    await visitor.say('two');
    await visitor.lines.last().getByRole('button', { name: 'Remove' }).click();
    await eventually(() => visitor.transcript(), ['one']);
  });

  test('keeps what is written while the network is away, and sends it when it is back', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.lastSent.waitFor();
    await visitor.root.context().setOffline(true);
    stage.host.engine.drop();
    await eventually(() => visitor.status.textContent(), 'Connection lost, reconnecting…');
    await visitor.say('two');
    await visitor.lines.last().getByText('Waiting to be sent').waitFor();
    await visitor.root.context().setOffline(false);
    await visitor.lastSent.waitFor();
    expect(stage.host.engine.conversations[0]?.events.map(({ body }) => body)).toEqual(['one', 'two']);
  });

  test('is there again after the page was left and came back, and gone in another tab', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.lastSent.waitFor();
    const stored = () => [...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie];
    expect(await visitor.root.evaluate(stored)).toEqual(['chattenant.token', '']);
    await visitor.root.reload();
    await eventually(() => visitor.transcript(), ['one']);
    await visitor.say('two');
    await eventually(() => stage.host.engine.conversations.map(({ events }) => events.length), [2]);
    const other = await visitor.root.context().newPage();
    await other.goto(`${stage.host.origin}/widget/`);
    await other.getByRole('heading', { name: 'How can we help?' }).waitFor();
  });

  test('that can no longer be resumed says so and lets a new one begin', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.lastSent.waitFor();
    stage.host.engine.forgetVisitors();
    await visitor.root.reload();
    await visitor.root.getByText('Your previous chat has ended.').waitFor();
    await visitor.begin({ body: 'again' });
    await visitor.lastSent.waitFor();
    stage.host.engine.forgetVisitors();
    stage.host.engine.drop();
    await visitor.root.getByText('This chat can no longer be continued.').waitFor();
    expect(await visitor.transcript()).toEqual(['again']);
    await visitor.root.getByRole('button', { name: 'Start a new chat' }).click();
    await visitor.question.waitFor();
  });

  test('works just as well where the browser denies storage', async () => {
    const page = await stage.person();
    await page.addInitScript(() => {
      const denied = () => {
        throw new DOMException('denied', 'SecurityError');
      };
      Object.defineProperty(window, 'sessionStorage', { get: denied });
      Object.defineProperty(window, 'localStorage', { get: denied });
    });
    await page.goto(`${stage.host.origin}/widget/`);
    await page.getByLabel('Your message').fill('hello');
    await page.getByRole('button', { name: 'Start chat' }).click();
    await page.getByText(/^(Sent|Delivered|Read)$/).waitFor();
  });
});

describe('the first screen', () => {
  test('names who answers, where data is kept and the privacy policy, and asks for no identity', async () => {
    const visitor = await stage.visitor();
    await visitor.question.waitFor();
    expect(await visitor.root.getByRole('heading', { level: 1 }).textContent()).toBe('Acme GmbH');
    expect(await visitor.notice.textContent()).toContain('kept in Frankfurt, Germany');
    const policy = visitor.root.getByRole('link', { name: 'Privacy policy' });
    expect(await policy.getAttribute('href')).toBe('https://www.acme.example/privacy');
    expect(stage.host.engine.connections).toBe(0);
    expect(await visitor.root.evaluate(() => sessionStorage.length + localStorage.length)).toBe(0);
  });

  test('points at what is missing or looks wrong, and starts nothing', async () => {
    const visitor = await stage.visitor();
    await visitor.startButton.click();
    await visitor.root.getByText('Please write a message first.').waitFor();
    expect(await visitor.message.getAttribute('aria-invalid')).toBe('true');
    await visitor.message.fill('hello');
    await visitor.email.fill('not an address');
    await visitor.startButton.click();
    await visitor.root.getByText('This does not look like an e-mail address.').waitFor();
    await eventually(() => visitor.email.evaluate((element) => element === document.activeElement), true);
    expect(stage.host.engine.connections).toBe(0);
  });

  test('keeps the words when the server cannot take them, and when it is not there at all', async () => {
    const visitor = await stage.visitor();
    await visitor.message.fill('hello');
    stage.host.unavailable = true;
    await visitor.startButton.click();
    await visitor.root.getByText('Your message is still here').waitFor();
    expect(await visitor.message.inputValue()).toBe('hello');
    await visitor.root.reload();
    await visitor.root.getByText('The chat cannot be reached right now.').waitFor();
    stage.host.unavailable = false;
    await visitor.root.getByRole('button', { name: 'Try again' }).click();
    await visitor.question.waitFor();
  });

  test('a message of more than 4,000 characters is counted and held back', async () => {
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.say('x'.repeat(4_001));
    await visitor.root.getByText('1 characters too many').waitFor();
    expect(await visitor.transcript()).toEqual(['one']);
    await visitor.say('😀'.repeat(4_000));
    await eventually(() => visitor.lines.count(), 2);
    await visitor.lastSent.waitFor();
  });
});
