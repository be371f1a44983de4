// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { EventFrame, Participant, PendingMessage } from '@chattenant/protocol';
import { describe, expect, test } from 'vitest';
import { linesOf } from '../src/lines';

const mia: Participant = { kind: 'visitor', id: 'v', displayName: 'Mia' };
const ada: Participant = { kind: 'agent', id: 'a', displayName: 'Ada' };
const naming = { self: mia, nameOf: ({ displayName }: Participant) => displayName ?? '' };

function event(author: Participant, seq: number, at: string, kind = 'message'): EventFrame {
  const place = { conversation: 'c', epoch: 1, seq };
  return { type: 'event', ...place, id: `e${seq}`, kind, author, clientId: `x${seq}`, body: `b${seq}`, at };
}

function pending(state: PendingMessage['state']): PendingMessage {
  const target = { kind: 'conversation', id: 'c' } as const;
  return { clientId: 'x9', target, body: 'b9', writtenAt: Date.UTC(2026, 0, 2, 12), state };
}

describe('lines', () => {
  test('name their author once in a row and their day once', () => {
    const events = [
      event(mia, 1, '2026-01-01T12:00:00.000Z'),
      event(mia, 2, '2026-01-01T12:01:00.000Z'),
      event(ada, 3, '2026-01-01T12:02:00.000Z'),
      event(ada, 4, '2026-01-03T12:00:00.000Z'),
    ];
    const lines = linesOf({ events, pending: [] }, naming);
    expect(lines.map(({ turn }) => turn)).toEqual([true, false, true, true]);
    expect(lines.map(({ newDay }) => newDay)).toEqual([true, false, false, true]);
    expect(lines.map(({ own }) => own)).toEqual([true, true, false, false]);
  });

  test('an own message keeps its key when it becomes an event, so that it is announced once', () => {
    const [before] = linesOf({ events: [], pending: [pending('sent')] }, naming);
    const [after] = linesOf({ events: [event(mia, 9, '2026-01-02T12:00:00.000Z')], pending: [] }, naming);
    expect(before?.key).toBe(after?.key);
  });

  test.each([
    ['queued', 'queued', undefined],
    ['sent', 'sending', undefined],
    ['acknowledged', 'sent', undefined],
    ['failed', 'failed', 'x9'],
  ] as const)('a message that is %s is marked %s', (state, mark, failedClientId) => {
    const [line] = linesOf({ events: [], pending: [pending(state)] }, naming);
    expect(line).toMatchObject({ mark, own: true });
    expect(line?.failedClientId).toBe(failedClientId);
  });

  test('when nothing more can be sent, what waits is marked as not sent and offers no retry', () => {
    const [line] = linesOf({ events: [], pending: [pending('queued')] }, { ...naming, over: true });
    expect(line?.mark).toBe('failed');
    expect(line?.failedClientId).toBeUndefined();
  });

  test('a message that was edited says what it says last', () => {
    const edit = (seq: number, body: string) => ({
      ...event(mia, seq, '2026-01-01T12:00:00.000Z', 'edit'),
      target: 'e1',
      body,
    });
    const events = [event(mia, 1, '2026-01-01T12:00:00.000Z'), edit(2, 'x'), edit(3, 'y')];
    const lines = linesOf({ events, pending: [] }, naming);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ body: 'y', changed: 'edited' });
  });

  test('a message that was deleted keeps its place', () => {
    const erased = { ...event(mia, 1, '2026-01-01T12:00:00.000Z'), body: '', erased: true };
    const lines = linesOf({ events: [erased, event(ada, 2, '2026-01-01T12:00:00.000Z')], pending: [] }, naming);
    expect(lines.map(({ changed }) => changed)).toEqual(['deleted', undefined]);
  });

  const change = (kind: 'edit' | 'deletion', state: PendingMessage['state']): PendingMessage => ({
    ...pending(state),
    body: kind === 'edit' ? 'new' : '',
    change: { kind, of: 'e1' },
  });
  const said = [event(mia, 1, '2026-01-01T12:00:00.000Z'), event(ada, 2, '2026-01-01T12:00:00.000Z')];

  test('own messages can be changed, others’, deleted ones and those of a chat that is over cannot', () => {
    const [own, other] = linesOf({ events: said, pending: [] }, naming);
    expect([own?.messageId, other?.messageId]).toEqual(['e1', undefined]);
    const erased = said.map((each) => ({ ...each, body: '', erased: true }));
    expect(linesOf({ events: erased, pending: [] }, naming)[0]?.messageId).toBeUndefined();
    expect(linesOf({ events: said, pending: [] }, { ...naming, over: true })[0]?.messageId).toBeUndefined();
  });

  test.each([
    ['edit', 'queued', { body: 'new', changed: 'edited', messageId: 'e1', change: { kind: 'edit', mark: 'queued' } }],
    ['edit', 'failed', { body: 'new', change: { kind: 'edit', mark: 'failed', failedClientId: 'x9' } }],
    ['deletion', 'sent', { body: 'b1', messageId: undefined, change: { kind: 'deletion', mark: 'sending' } }],
    ['deletion', 'failed', { body: 'b1', messageId: 'e1', change: { mark: 'failed', failedClientId: 'x9' } }],
  ] as const)('an %s that is %s is shown on its message', (kind, state, expected) => {
    const lines = linesOf({ events: said, pending: [change(kind, state)] }, naming);
    expect(lines).toHaveLength(2);
    expect({ messageId: undefined, ...lines[0] }).toMatchObject(expected);
  });

  test('a message that somebody deleted meanwhile stays deleted, whatever was to become of it', () => {
    const events = said.map((each) => ({ ...each, body: '', erased: true }));
    const [line] = linesOf({ events, pending: [change('edit', 'failed')] }, naming);
    expect(line).toMatchObject({ changed: 'deleted', body: '', change: { mark: 'failed', failedClientId: 'x9' } });
    expect(line?.messageId).toBeUndefined();
  });

  test('events of a kind this version does not know are left out', () => {
    const events = [event(ada, 1, '2026-01-01T12:00:00.000Z', 'transfer')];
    expect(linesOf({ events, pending: [] }, naming)).toEqual([]);
  });
});
