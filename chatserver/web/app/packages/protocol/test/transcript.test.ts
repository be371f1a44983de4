// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import type { EventFrame } from '../src';
import { Transcript } from '../src/transcript';

function event(seq: number, more: Partial<EventFrame>): EventFrame {
  const author = { kind: 'visitor', id: 'v' } as const;
  const place = { conversation: 'c', epoch: 1, seq, clientId: `x${seq}`, at: '2026-01-01T12:00:00.000Z' };
  return { type: 'event', ...place, id: `e${seq}`, kind: 'message', author, body: `b${seq}`, ...more };
}

describe('a transcript', () => {
  test('drops the texts of a message and of its edits when the message is deleted', () => {
    const transcript = new Transcript('c', '2026-01-01T12:00:00.000Z');
    transcript.append(event(1, {}));
    transcript.append(event(2, { kind: 'edit', target: 'e1' }));
    transcript.append(event(3, {}));
    transcript.append(event(4, { kind: 'deletion', target: 'e1', body: '' }));
    expect(transcript.events.map(({ body, erased }) => [body, erased])).toEqual([
      ['', true],
      ['', true],
      ['b3', undefined],
      ['', undefined],
    ]);
    expect(transcript.seq).toBe(4);
  });
});
