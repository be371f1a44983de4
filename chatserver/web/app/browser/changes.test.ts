// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { eventually, useStage } from './stage';

const stage = useStage();

const focusedName = () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent;

/** A visitor in a chat who has said these things, all of them durable. */
async function talk(first: string, ...rest: string[]) {
  const visitor = await stage.visitor();
  await visitor.begin({ body: first });
  await visitor.lastSent.waitFor();
  for (const body of rest) {
    await visitor.say(body);
    await eventually(() => stage.host.engine.conversations[0]?.events.at(-1)?.body, body);
  }
  await eventually(() => visitor.transcript(), [first, ...rest]);
  return visitor;
}

const stored = () => stage.host.engine.conversations[0]?.events.map(({ kind, body }) => [kind, body]);

describe('own messages', () => {
  test('are edited with the mouse, and the other side sees it', async () => {
    const agent = await stage.agent();
    const visitor = await talk('helo');
    await agent.choose('helo');
    await visitor.lines.first().hover();
    await visitor.edit.click();
    await visitor.editor.fill('hello');
    await visitor.save.click();
    await eventually(() => visitor.transcript(), ['hello (edited)']);
    await eventually(() => agent.transcript(), ['hello (edited)']);
    await visitor.root.getByText('Message changed').waitFor({ state: 'attached' });
    await agent.page.getByText('changed a message: hello').waitFor({ state: 'attached' });
    expect(stored()).toEqual([['message', 'helo'], ['edit', 'hello']]);
  });

  test('are deleted after a question, and the words are gone on both sides', async () => {
    const agent = await stage.agent();
    const visitor = await talk('a secret', 'no secret');
    await agent.choose('no secret');
    await visitor.lines.first().hover();
    await visitor.remove.first().click();
    await visitor.root.getByText('Delete this message for everyone?').waitFor();
    await visitor.keep.click();
    expect(await visitor.transcript()).toEqual(['a secret', 'no secret']);
    await visitor.lines.first().hover();
    await visitor.remove.first().click();
    await visitor.confirm.click();
    const gone = ['This message was deleted', 'no secret'];
    await eventually(() => visitor.transcript(), gone);
    await eventually(() => agent.transcript(), gone);
    for (const page of [visitor.root, agent.page]) expect(await page.content()).not.toContain('a secret');
    await visitor.root.getByText('Message deleted', { exact: true }).waitFor({ state: 'attached' });
  });

  test('are changed from the keyboard alone: one stop of Tab, arrows between messages, Escape takes back', async () => {
    const visitor = await talk('one', 'two', 'three');
    const { keyboard } = visitor.root;
    const expectFocus = (name: string) => eventually(() => visitor.root.evaluate(focusedName), name);
    await visitor.log.focus();
    await keyboard.press('Tab');
    await expectFocus('Edit message');
    expect(await visitor.edit.last().evaluate((button) => button === document.activeElement)).toBe(true);
    expect(await visitor.actions.last().evaluate((actions) => getComputedStyle(actions).opacity)).toBe('1');
    await keyboard.press('ArrowUp');
    await keyboard.press('Enter');
    expect(await visitor.editor.inputValue()).toBe('two');
    await keyboard.type(' and more');
    await keyboard.press('Escape');
    await eventually(() => visitor.editor.count(), 0);
    await expectFocus('Edit message');
    await keyboard.press('Enter');
    await keyboard.type(', too');
    await keyboard.press('Enter');
    await eventually(() => visitor.transcript(), ['one', 'two, too (edited)', 'three']);
    await expectFocus('Edit message');
    await keyboard.press('Tab');
    await expectFocus('Delete message');
    await keyboard.press('ArrowUp');
    await keyboard.press('Space');
    // The harmless answer comes first.
    await expectFocus('Keep');
    await keyboard.press('Escape');
    await expectFocus('Delete message');
    await keyboard.press('Space');
    await keyboard.press('Shift+Tab');
    await expectFocus('Delete');
    await keyboard.press('Enter');
    await eventually(() => visitor.transcript(), ['This message was deleted', 'two, too (edited)', 'three']);
    // What had the focus is gone; it is where one can go on.
    await expectFocus('Conversation');
    await keyboard.press('Tab');
    await expectFocus('Edit message');
  });

  test('ask at once with the focus on the harmless answer, so that the next key finds it', async () => {
    const visitor = await talk('one');
    await visitor.remove.focus();
    const focused = await visitor.remove.evaluate(async (button: HTMLElement) => {
      button.click();
      await new Promise((resolve) => setTimeout(resolve));
      return document.activeElement?.textContent;
    });
    expect(focused).toBe('Keep');
  });

  test('are changed by touch, with targets that a finger meets', async () => {
    const visitor = await stage.visitor({ viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true });
    await visitor.begin({ body: 'helo' });
    await visitor.lastSent.waitFor();
    expect(await visitor.actions.evaluate((actions) => getComputedStyle(actions).opacity)).toBe('1');
    for (const button of [visitor.edit, visitor.remove]) {
      const box = await button.boundingBox();
      expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(24);
    }
    await visitor.edit.tap();
    await visitor.editor.fill('hello');
    await visitor.save.tap();
    await eventually(() => visitor.transcript(), ['hello (edited)']);
    await visitor.remove.tap();
    await visitor.confirm.tap();
    await eventually(() => visitor.transcript(), ['This message was deleted']);
  });

  test('say that a change waits, that it was refused, and let it be tried again or given up', async () => {
    const visitor = await talk('helo');
    const { engine } = stage.host;
    engine.fault = ({ type }) => (type === 'edit' ? 'swallow' : undefined);
    await visitor.change('hello');
    await visitor.lines.first().getByText('Saving…').waitFor();
    engine.fault = ({ type }) => (type === 'edit' ? { code: 'forbidden' } : undefined);
    engine.drop();
    await visitor.lines.first().getByText('Not saved').waitFor();
    engine.fault = () => undefined;
    await visitor.lines.first().getByRole('button', { name: 'Try again' }).click();
    await eventually(stored, [['message', 'helo'], ['edit', 'hello']]);
    engine.fault = ({ type }) => (type === 'edit' ? { code: 'forbidden' } : undefined);
    await visitor.change('no');
    await visitor.lines.first().getByRole('button', { name: 'Leave as it was' }).click();
    await eventually(() => visitor.transcript(), ['hello (edited)']);
  });

  test('cannot become nothing or too long, and saving what was there changes nothing', async () => {
    const visitor = await talk('hello');
    await visitor.change('  ');
    await visitor.root.getByText('Write something, or delete the message.').waitFor();
    await visitor.editor.fill('x'.repeat(4_001));
    await visitor.root.getByText('1 characters too many').waitFor();
    await visitor.editor.press('Enter');
    await visitor.editor.fill('hello');
    await visitor.editor.press('Enter');
    await eventually(() => visitor.editor.count(), 0);
    expect(stored()).toEqual([['message', 'hello']]);
  });

  test('nobody else’s can be changed', async () => {
    const agent = await stage.agent();
    await talk('hello');
    await agent.choose('hello');
    await agent.say('hi');
    // One's own can be changed once they are durable.
    await eventually(() => agent.lines.last().getByRole('button').count(), 2);
    expect(await agent.transcript()).toEqual(['hello', 'hi']);
    expect(await agent.lines.first().getByRole('button').count()).toBe(0);
    await agent.lines.last().hover();
    await agent.lines.last().getByRole('button', { name: 'Delete message' }).click();
    await agent.page.getByRole('button', { name: 'Delete', exact: true }).click();
    await eventually(() => agent.transcript(), ['hello', 'This message was deleted']);
    await eventually(() => agent.items.first().locator('.preview').textContent(), 'You: Message deleted');
  });
});
