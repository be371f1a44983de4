// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { decodeServerFrame, MalformedFrame } from '../src';

const event = {
  type: 'event',
  conversation: 'c',
  epoch: 1,
  seq: 1,
  id: 'e',
  kind: 'message',
  author: { kind: 'agent', id: 'a', displayName: 'Ada' },
  clientId: 'x',
  body: 'hello',
  at: '2026-01-02T03:04:05.000Z',
};

describe('frames of the server', () => {
  test.each([
    { type: 'welcome', protocol: 1, self: { kind: 'visitor', id: 'v' }, epoch: 1, heartbeatSeconds: 15 },
    { type: 'conversation', conversation: 'c', openedAt: 'now', head: 0 },
    { type: 'conversation', conversation: 'c', openedAt: 'now', head: 3, contact: { name: 'N', email: 'e@x' } },
    event,
    { ...event, invented: 'later' },
    { type: 'caught_up', conversation: 'c', epoch: 1, seq: 0 },
    { type: 'reset', conversation: 'c', epoch: 2 },
    { type: 'opened', clientId: 'x', conversation: 'c', openedAt: 'now' },
    { type: 'ack', clientId: 'x', conversation: 'c', epoch: 1, seq: 1, id: 'e', at: 'now' },
    { type: 'heartbeat', heads: { c: 4 } },
    { type: 'presence', available: true },
    { type: 'presence', people: [{ conversation: 'c', kind: 'visitor', id: 'v', online: false }] },
    { type: 'presence', people: [{ kind: 'agent', id: 'a', online: true }] },
    { type: 'drain', reconnectAfterMs: 100 },
    { type: 'error', code: 'rate_limited', message: 'slow down', clientId: 'x', retryAfterMs: 5 },
  ])('$type is read as it is written', (frame) => {
    expect(decodeServerFrame(JSON.stringify(frame))).toEqual(frame);
  });

  test('an unknown type is ignored, so that the protocol can grow', () => {
    expect(decodeServerFrame('{"type":"juggling","conversation":"c"}')).toBeUndefined();
    expect(decodeServerFrame('{"type":"constructor"}')).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['half a frame', '{"type":"event"'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no type', '{}'],
    ['a numeric type', '{"type":1}'],
    ['a missing field', JSON.stringify({ ...event, seq: undefined })],
    ['a fractional sequence number', JSON.stringify({ ...event, seq: 1.5 })],
    ['a negative sequence number', JSON.stringify({ ...event, seq: -1 })],
    ['a body that is no text', JSON.stringify({ ...event, body: { html: 'x' } })],
    ['an author of no known kind', JSON.stringify({ ...event, author: { kind: 'root', id: 'a' } })],
    ['an unknown error code', '{"type":"error","code":"teapot","message":"m"}'],
    ['a head that is no number', '{"type":"heartbeat","heads":{"c":"1"}}'],
    ['presence that may be', '{"type":"presence","people":[{"kind":"agent","id":"a","online":"perhaps"}]}'],
    ['a contact that is no object', '{"type":"conversation","conversation":"c","openedAt":"n","head":0,"contact":"x"}'],
  ])('%s is malformed', (_, text) => {
    expect(() => decodeServerFrame(text)).toThrow(MalformedFrame);
  });

  test('the reason never quotes what was said', () => {
    const secret = JSON.stringify({ ...event, body: ['my secret'] });
    expect(() => decodeServerFrame(secret)).toThrow(/^event\.body is missing or of the wrong kind$/);
  });
});
