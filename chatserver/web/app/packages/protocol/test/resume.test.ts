// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { GAP_AFTER_MS, MAX_CURSORS, MAX_FRAME_BYTES, type ClientFrame } from '../src';
import { AGENT, bodies, conversationOf, only, World } from './world';

const lastHello = (frames: readonly ClientFrame[]) => frames.findLast((frame) => frame.type === 'hello');

describe('resuming', () => {
  test('a reconnect names its cursors and gets only what is missing', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one', 'two');
    world.engine.drop();
    const conversation = only(world.engine.conversations);
    world.engine.commit(AGENT, conversation, 'x', 'three');
    world.clock.advance(2_000);
    expect(bodies(visitor)).toEqual(['one', 'two', 'three']);
    expect(lastHello(world.engine.seen)?.cursors).toEqual({ [conversation.id]: { epoch: 1, seq: 2 } });
  });

  test('a conversation without events is left out of the cursors', () => {
    const world = new World();
    const visitor = world.talkingVisitor();
    expect(conversationOf(visitor).events).toEqual([]);
    world.engine.drop();
    world.clock.advance(2_000);
    expect(lastHello(world.engine.seen)?.cursors).toEqual({});
  });

  test('after a restore the old events are forgotten and the new epoch is taken over', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one', 'two', 'three');
    world.engine.restore(1);
    world.clock.advance(2_000);
    expect(bodies(visitor)).toEqual(['one']);
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'four');
    world.clock.advance(500);
    expect(bodies(visitor)).toEqual(['one', 'four']);
    world.clock.advance(60_000);
    world.engine.drop();
    world.clock.advance(2_000);
    expect(lastHello(world.engine.seen)?.cursors).toMatchObject({ [conversationOf(visitor).id]: { epoch: 2, seq: 2 } });
  });

  test('what a restore took away is not waited for', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one', 'two', 'three');
    world.engine.restore(1);
    world.clock.advance(2_000);
    const attempts = world.network.attempts;
    world.clock.advance(4 * GAP_AFTER_MS);
    expect(bodies(visitor)).toEqual(['one']);
    expect(conversationOf(visitor).complete).toBe(true);
    expect(world.network.attempts).toBe(attempts);
  });

  test('a head without its event is a gap: five seconds later the client asks again', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const attempts = world.network.attempts;
    world.engine.commit(AGENT, only(world.engine.conversations), 'x', 'lost in fan-out');
    world.engine.heartbeat();
    world.clock.advance(GAP_AFTER_MS - 100);
    expect(conversationOf(visitor).complete).toBe(false);
    expect(world.network.attempts).toBe(attempts);
    world.clock.advance(2_000);
    expect(world.network.attempts).toBe(attempts + 1);
    expect(bodies(visitor)).toEqual(['one', 'lost in fan-out']);
    expect(conversationOf(visitor).complete).toBe(true);
  });

  test('an event that skips a number is not shown; the client asks again at once', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const conversation = only(world.engine.conversations);
    world.engine.commit(AGENT, conversation, 'x', 'two');
    const [three] = world.engine.commit(AGENT, conversation, 'y', 'three');
    world.engine.fanOut(three);
    world.clock.advance(20);
    expect(bodies(visitor)).toEqual(['one']);
    world.clock.advance(2_000);
    expect(bodies(visitor)).toEqual(['one', 'two', 'three']);
  });

  test('an event that is known already is dropped', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const attempts = world.network.attempts;
    world.engine.fanOut(only(only(world.engine.conversations).events));
    world.clock.advance(2_000);
    expect(bodies(visitor)).toEqual(['one']);
    expect(world.network.attempts).toBe(attempts);
  });

  test('an acknowledged message whose event never came is said again after a restore', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const conversation = only(world.engine.conversations);
    world.engine.fanOut = () => undefined;
    visitor.send({ kind: 'conversation', id: conversation.id }, 'two');
    world.clock.advance(100);
    expect(only(conversationOf(visitor).pending).state).toBe('acknowledged');
    world.engine.restore(1);
    world.clock.advance(20_000);
    expect(bodies(visitor)).toEqual(['one', 'two']);
    expect(conversationOf(visitor).pending).toEqual([]);
  });

  test('with very many conversations hello still fits into a frame, and nothing is missing or doubled', () => {
    const world = new World();
    const agent = world.agent();
    agent.start();
    for (let count = 0; count < MAX_CURSORS + 20; count += 1) {
      const conversation = world.engine.open({ kind: 'visitor', id: `v${count}` }, 'x');
      world.engine.fanOut(world.engine.commit({ kind: 'visitor', id: `v${count}` }, conversation, 'y', 'hello')[0]);
      world.clock.advance(10);
    }
    world.engine.drop();
    world.clock.advance(2_000);
    const hello = JSON.stringify(lastHello(world.engine.seen));
    expect(hello.length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
    expect(agent.snapshot().conversations.map(({ events }) => events.length)).toEqual(
      Array.from({ length: MAX_CURSORS + 20 }, () => 1),
    );
    world.engine.restore(0);
    world.clock.advance(3_000);
    expect(agent.snapshot().conversations.flatMap(({ events }) => events)).toEqual([]);
    expect(agent.snapshot().link.kind).toBe('online');
  });
});
