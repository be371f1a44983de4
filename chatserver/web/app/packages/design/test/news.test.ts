// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import type { Line } from '../src/lines';
import { newsOf } from '../src/news';

const line: Line = {
  key: 'k', own: true, author: 'Mia', body: 'b', at: 0, mark: 'sent', turn: true, newDay: false, messageId: 'e1',
};
const other: Line = { ...line, own: false, author: 'Ada' };
const sending = { kind: 'edit', mark: 'sending' } as const;
const failed = { kind: 'deletion', mark: 'failed', failedClientId: 'x' } as const;

describe('news of messages that were there before', () => {
  test.each<[string, Line, Line, string | undefined]>([
    ['nothing', line, line, undefined],
    ['an own edit that begins', line, { ...line, body: 'c', changed: 'edited', change: sending }, undefined],
    ['an own edit that is done', { ...line, change: sending }, { ...line, changed: 'edited' }, 'Message changed'],
    ['an own deletion that is done', { ...line, change: sending }, { ...line, changed: 'deleted' }, 'Message deleted'],
    ['an own edit done between two drawings', line, { ...line, body: 'c', changed: 'edited' }, 'Message changed'],
    ['an own deletion done between two drawings', line, { ...line, changed: 'deleted' }, 'Message deleted'],
    ['an own one that was deleted', { ...line, changed: 'deleted' }, { ...line, changed: 'deleted' }, undefined],
    ['an own one that was edited', { ...line, changed: 'edited' }, { ...line, changed: 'edited' }, undefined],
    ['an own deletion that fails', line, { ...line, change: failed }, 'Not deleted'],
    ['one that failed already', { ...line, change: failed }, { ...line, change: failed }, undefined],
    ['one that is given up', { ...line, change: failed, changed: 'edited' }, { ...line, changed: 'edited' }, undefined],
    ['another’s edit', other, { ...other, body: 'c', changed: 'edited' }, 'Ada changed a message: c'],
    ['another’s deletion', other, { ...other, changed: 'deleted' }, 'Ada deleted a message'],
    ['another’s that was deleted', { ...other, changed: 'deleted' }, { ...other, changed: 'deleted' }, undefined],
  ])('%s', (_, before, after, words) => {
    expect(newsOf([before], [after])).toBe(words);
  });

  test('new messages are the log’s to announce', () => {
    expect(newsOf([], [line])).toBeUndefined();
  });
});
