// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ConversationView, EventFrame } from '@chattenant/protocol';
import { describe, expect, test } from 'vitest';
import { Attention, byActivity, detailsOf, titleOf } from '../src/attention';

/** A conversation in which visitors (v) and agents (a) spoke in this order, one a minute from the given hour on. */
function conversation(id: string, speakers: string, hour = 12): ConversationView {
  const openedAt = `2026-01-02T${hour}:00:00.000Z`;
  const events = Array.from(speakers, (speaker, index): EventFrame => {
    const seq = index + 1;
    const author = { kind: speaker === 'v' ? 'visitor' : 'agent', id: speaker } as const;
    const at = `2026-01-02T${hour}:${String(seq).padStart(2, '0')}:00.000Z`;
    const place = { conversation: id, epoch: 1, seq };
    return { type: 'event', ...place, id: `${seq}`, kind: 'message', author, clientId: `${seq}`, body: 'b', at };
  });
  const others = { delivered: 0, read: 0, typing: [] };
  return { id, openedAt, events, complete: true, others, people: [], pending: [] };
}

describe('attention', () => {
  test.each([
    ['', 0],
    ['v', 1],
    ['vvv', 3],
    ['vva', 0],
    ['vav', 1],
    ['aa', 0],
  ])('in %j there are %i unread messages', (speakers, unread) => {
    expect(new Attention().unread(conversation('c', speakers))).toBe(unread);
  });

  test('edits and deleted messages are not unread', () => {
    const { events, ...rest } = conversation('c', 'vvv');
    const [first, second, third] = events;
    if (!first || !second || !third) throw new Error('three events were made');
    const changed = [first, { ...second, body: '', erased: true }, { ...third, kind: 'edit', target: first.id }];
    expect(new Attention().unread({ ...rest, events: changed })).toBe(1);
  });

  test('what was read stays read, what comes later does not', () => {
    const attention = new Attention();
    attention.markRead(conversation('c', 'vv'));
    expect(attention.unread(conversation('c', 'vv'))).toBe(0);
    expect(attention.unread(conversation('c', 'vvv'))).toBe(1);
    expect(attention.unread(conversation('other', 'vv'))).toBe(2);
  });
});

describe('the list', () => {
  test('has the newest activity first, a conversation without messages by its opening', () => {
    const unordered = [conversation('old', 'vv', 10), conversation('empty', '', 12), conversation('new', 'v', 11)];
    const order = byActivity(unordered);
    expect(order.map(({ id }) => id)).toEqual(['empty', 'new', 'old']);
  });

  test.each([
    [{ name: 'Mia', email: 'mia@x' }, 'Mia'],
    [{ email: 'mia@x' }, 'mia@x'],
    [{ name: '' }, 'Visitor 9f3c'],
  ])('calls %j %j', (contact, title) => {
    expect(titleOf({ id: '0193-9f3c', contact })).toBe(title);
  });
});

describe('what a visitor said of themselves', () => {
  test.each([
    [undefined, ['No contact details given']],
    [{ name: '' }, ['No contact details given']],
    [{ name: 'Ada' }, []],
    [{ name: 'Ada', email: 'ada@example.org' }, ['ada@example.org']],
    [{ phone: '030 1234', externalId: 'K-7' }, ['030 1234', 'Customer number K-7']],
  ])('of %j the agent sees %j', (contact, details) => {
    expect(detailsOf(contact ? { contact } : {})).toEqual(details);
  });
});
