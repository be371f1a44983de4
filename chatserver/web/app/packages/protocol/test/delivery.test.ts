// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { ANSWER_TIMEOUT_MS, type ClientFrame } from '../src';
import { AGENT, bodies, conversationOf, only, World } from './world';

const sends = (frames: readonly ClientFrame[]) => frames.filter((frame) => frame.type === 'send');

describe('delivery', () => {
  test('what a visitor says before anything is connected arrives in order, and the answer comes back', () => {
    const world = new World();
    const agent = world.agent();
    agent.start();
    world.clock.advance(100);
    const visitor = world.talkingVisitor('one', 'two', 'three');
    expect(bodies(agent)).toEqual(['one', 'two', 'three']);
    agent.send({ kind: 'conversation', id: conversationOf(agent).id }, 'four');
    world.clock.advance(100);
    expect(bodies(visitor)).toEqual(['one', 'two', 'three', 'four']);
    expect(conversationOf(visitor).pending).toEqual([]);
  });

  test('a message waits in its opening, then in its conversation, until it is an event', () => {
    const world = new World();
    const visitor = world.visitor();
    const target = visitor.open({ name: 'Mia' });
    visitor.send(target, 'hello');
    expect(only(only(visitor.snapshot().openings).pending)).toMatchObject({ body: 'hello', state: 'queued' });
    visitor.start();
    world.clock.advance(50);
    expect(visitor.snapshot().openings).toEqual([]);
    expect(only(conversationOf(visitor).pending).state).toBe('sent');
    world.clock.advance(50);
    expect(conversationOf(visitor).pending).toEqual([]);
    expect(only(world.engine.conversations).contact).toEqual({ name: 'Mia' });
  });

  test('text without a visible character is not sent', () => {
    const world = new World();
    const visitor = world.talkingVisitor('hello');
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, ' \n\u0000 ');
    expect(conversationOf(visitor).pending).toEqual([]);
  });

  test('a lost acknowledgement is answered by a resend with the same client id, and nobody sees it twice', () => {
    const world = new World();
    const agent = world.agent();
    agent.start();
    const visitor = world.talkingVisitor('first');
    let cuts = 1;
    world.engine.fault = (frame) => (frame.type === 'send' && cuts-- > 0 ? 'cut-after-commit' : undefined);
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'second');
    world.clock.advance(5_000);
    const ids = new Set(sends(world.engine.seen).map(({ clientId }) => clientId));
    expect(ids.size).toBe(2);
    expect(bodies(visitor)).toEqual(['first', 'second']);
    expect(bodies(agent)).toEqual(['first', 'second']);
    expect(conversationOf(visitor).pending).toEqual([]);
  });

  test('a frame the server swallowed is sent again on the same connection', () => {
    const world = new World();
    const visitor = world.talkingVisitor('first');
    const attempts = world.network.attempts;
    let swallows = 1;
    world.engine.fault = (frame) => (frame.type === 'send' && swallows-- > 0 ? 'swallow' : undefined);
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'second');
    world.clock.advance(ANSWER_TIMEOUT_MS + 100);
    expect(bodies(visitor)).toEqual(['first', 'second']);
    expect(world.network.attempts).toBe(attempts);
  });

  test('a message refused for a while is sent when the server said, and later ones wait behind it', () => {
    const world = new World();
    const visitor = world.talkingVisitor('first');
    let refusals = 1;
    world.engine.fault = (frame) =>
      frame.type === 'send' && refusals-- > 0 ? { code: 'rate_limited', retryAfterMs: 3_000 } : undefined;
    const target = { kind: 'conversation', id: conversationOf(visitor).id } as const;
    visitor.send(target, 'second');
    visitor.send(target, 'third');
    world.clock.advance(2_900);
    expect(bodies(visitor)).toEqual(['first']);
    world.clock.advance(1_000);
    expect(bodies(visitor)).toEqual(['first', 'second', 'third']);
  });

  test('a message refused for good says why, lets the next one pass, and can be retried or given up', () => {
    const world = new World();
    const visitor = world.talkingVisitor('first');
    world.engine.fault = (frame) =>
      frame.type === 'send' && frame.body.startsWith('bad') ? { code: 'forbidden' } : undefined;
    const target = { kind: 'conversation', id: conversationOf(visitor).id } as const;
    for (const text of ['bad one', 'bad two', 'good']) visitor.send(target, text);
    world.clock.advance(500);
    expect(bodies(visitor)).toEqual(['first', 'good']);
    const [one, two] = conversationOf(visitor).pending;
    expect(one).toMatchObject({ state: 'failed', failure: { code: 'forbidden' } });
    world.engine.fault = () => undefined;
    visitor.retry(one?.clientId ?? '');
    visitor.discard(two?.clientId ?? '');
    world.clock.advance(500);
    expect(bodies(visitor)).toEqual(['first', 'good', 'bad one']);
    expect(conversationOf(visitor).pending).toEqual([]);
  });

  test('a message that may be on its way cannot be taken back', () => {
    const world = new World();
    const visitor = world.talkingVisitor('first');
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'second');
    visitor.discard(only(conversationOf(visitor).pending).clientId);
    world.clock.advance(500);
    expect(bodies(visitor)).toEqual(['first', 'second']);
  });

  test('an opening refused for good keeps its messages until it is retried', () => {
    const world = new World();
    const visitor = world.visitor();
    world.engine.fault = (frame) => (frame.type === 'open' ? { code: 'invalid_request' } : undefined);
    visitor.start();
    visitor.send(visitor.open(), 'hello');
    world.clock.advance(1_000);
    const opening = only(visitor.snapshot().openings);
    expect(opening).toMatchObject({ state: 'failed', pending: [{ body: 'hello' }] });
    world.engine.fault = () => undefined;
    visitor.retry(opening.clientId);
    world.clock.advance(1_000);
    expect(bodies(visitor)).toEqual(['hello']);
  });

  test("another author's equal client id confirms nothing of ours", () => {
    const world = new World();
    const visitor = world.talkingVisitor('first');
    world.engine.fault = (frame) => (frame.type === 'send' ? 'swallow' : undefined);
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'second');
    const { clientId } = only(conversationOf(visitor).pending);
    const [event] = world.engine.commit(AGENT, only(world.engine.conversations), clientId, 'spoof');
    world.engine.fanOut(event);
    world.clock.advance(100);
    expect(only(conversationOf(visitor).pending).body).toBe('second');
  });
});
