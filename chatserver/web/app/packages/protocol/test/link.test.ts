// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { PROBE_TIMEOUT_MS, SILENCE_MS, WELCOME_TIMEOUT_MS } from '../src';
import { bodies, conversationOf, World } from './world';

describe('the connection', () => {
  test('tries again with growing, random delays while the server is gone, and recovers', () => {
    const world = new World();
    world.network.down = true;
    const visitor = world.visitor({ random: () => 0.999 });
    visitor.start();
    const attemptsAfter = (ms: number) => {
      world.clock.advance(ms);
      return world.network.attempts;
    };
    expect([0, 600, 1_100, 2_100, 4_100].map(attemptsAfter)).toEqual([1, 2, 3, 4, 5]);
    world.network.down = false;
    world.clock.advance(30_000);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('a server that accepts and drops at once is not hammered', () => {
    const world = new World();
    const visitor = world.visitor({ random: () => 0.999 });
    world.engine.fault = () => 'cut';
    visitor.start();
    world.clock.advance(60_000);
    expect(world.network.attempts).toBeLessThan(9);
  });

  test('a connection that held makes the next failure the first one', () => {
    const world = new World();
    const visitor = world.visitor({ random: () => 0.999 });
    world.network.down = true;
    visitor.start();
    world.clock.advance(20_000);
    world.network.down = false;
    world.clock.advance(30_000);
    expect(visitor.snapshot().link.kind).toBe('online');
    world.engine.drop();
    world.clock.advance(600);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('forty seconds of silence end a connection that seems to stand', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const attempts = world.network.attempts;
    world.network.silent = true;
    world.clock.advance(SILENCE_MS - 6_000);
    expect(world.network.attempts).toBe(attempts);
    world.network.silent = false;
    world.clock.advance(8_000);
    expect(world.network.attempts).toBe(attempts + 1);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('heartbeats keep a quiet connection', () => {
    const world = new World();
    world.talkingVisitor('one');
    const attempts = world.network.attempts;
    for (let beat = 0; beat < 20; beat += 1) {
      world.engine.heartbeat();
      world.clock.advance(15_000);
    }
    expect(world.network.attempts).toBe(attempts);
  });

  test('a handshake without a welcome is given up', () => {
    const world = new World();
    const visitor = world.visitor();
    world.network.silent = true;
    visitor.start();
    world.clock.advance(WELCOME_TIMEOUT_MS - 1);
    expect(world.network.attempts).toBe(1);
    world.clock.advance(1_000);
    expect(world.network.attempts).toBe(2);
  });

  test('waking up ends the wait', () => {
    const world = new World();
    world.network.down = true;
    const visitor = world.visitor({ random: () => 0.999 });
    visitor.start();
    world.clock.advance(15_000);
    world.network.down = false;
    expect(visitor.snapshot().link.kind).toBe('waiting');
    world.wake();
    world.clock.advance(100);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('waking up tests a connection that may have died in its sleep', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const attempts = world.network.attempts;
    world.wake();
    world.clock.advance(PROBE_TIMEOUT_MS + 1_000);
    expect(world.network.attempts).toBe(attempts);
    world.network.silent = true;
    world.wake();
    world.clock.advance(PROBE_TIMEOUT_MS - 1);
    expect(world.network.attempts).toBe(attempts);
    world.network.silent = false;
    world.clock.advance(2_000);
    expect(world.network.attempts).toBe(attempts + 1);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('a drain moves to another connection when it was told to, and holds back what is written meanwhile', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const attempts = world.network.attempts;
    world.engine.drain(1_000);
    world.clock.advance(20);
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'two');
    world.clock.advance(900);
    expect(world.network.attempts).toBe(attempts);
    expect(bodies(visitor)).toEqual(['one']);
    world.clock.advance(1_000);
    expect(world.network.attempts).toBe(attempts + 1);
    expect(bodies(visitor)).toEqual(['one', 'two']);
  });

  test('a drain followed by a close still waits for its time', () => {
    const world = new World();
    world.talkingVisitor('one');
    const attempts = world.network.attempts;
    world.engine.drain(2_000);
    world.clock.advance(20);
    world.engine.drop(1001);
    world.clock.advance(1_900);
    expect(world.network.attempts).toBe(attempts);
    world.clock.advance(1_000);
    expect(world.network.attempts).toBe(attempts + 1);
  });

  test('an unknown token is refused for good and does not try again by itself', () => {
    const world = new World();
    const visitor = world.visitor({ token: 'expired' });
    visitor.start();
    world.clock.advance(120_000);
    expect(visitor.snapshot().link).toMatchObject({ kind: 'refused', code: 'unauthenticated' });
    expect(world.network.attempts).toBe(1);
  });

  test('a refusal that may pass is tried again, not before the server said', () => {
    const world = new World();
    const visitor = world.visitor();
    let refusals = 1;
    world.engine.fault = (frame) =>
      frame.type === 'hello' && refusals-- > 0 ? { code: 'unavailable', retryAfterMs: 8_000 } : undefined;
    visitor.start();
    world.clock.advance(30);
    world.engine.drop(1013);
    world.clock.advance(7_000);
    world.wake();
    expect(world.network.attempts).toBe(1);
    world.clock.advance(2_000);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('when connections fail to open the client asks whether it is still known', async () => {
    const world = new World();
    let asked = 0;
    const stillKnown = () => Promise.resolve((asked += 1) < 2);
    world.network.down = true;
    const agent = world.agent({ stillKnown, random: () => 0.999 });
    agent.start();
    for (let step = 0; step < 50; step += 1) {
      world.clock.advance(100);
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(asked).toBe(2);
    expect(agent.snapshot().link).toMatchObject({ kind: 'refused', code: 'unauthenticated' });
  });

  test('a client that was stopped starts again with everything it had in hand', () => {
    const world = new World();
    const agent = world.agent();
    agent.start();
    world.talkingVisitor('one');
    const { id } = conversationOf(agent);
    world.engine.fault = (frame, self) =>
      self?.kind === 'agent' && frame.type === 'send' ? 'swallow' : undefined;
    agent.send({ kind: 'conversation', id }, 'two');
    world.clock.advance(100);
    agent.stop();
    world.engine.fault = () => undefined;
    agent.start();
    world.clock.advance(5_000);
    expect(bodies(agent)).toEqual(['one', 'two']);
  });

  test('a visitor refused in the middle keeps the transcript', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    world.engine.forgetVisitors();
    world.engine.drop();
    world.clock.advance(120_000);
    expect(visitor.snapshot().link.kind).toBe('refused');
    expect(bodies(visitor)).toEqual(['one']);
  });

  test('a stopped client is silent and leaves no timer', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    visitor.stop();
    world.clock.advance(100);
    expect(world.clock.waiting).toBe(0);
    expect(visitor.snapshot().link.kind).toBe('stopped');
    expect(world.engine.connections).toBe(0);
  });

  test('a server that talks nonsense is a broken connection, not a crash', () => {
    const world = new World();
    const texts = ['nonsense'];
    const inner = world.network.transport();
    const visitor = world.visitor({
      transport: (events) =>
        inner({
          ...events,
          received: (text) => {
            events.received(texts.pop() ?? text);
          },
        }),
    });
    visitor.start();
    world.clock.advance(5_000);
    expect(visitor.snapshot().link.kind).toBe('online');
    expect(world.network.attempts).toBe(2);
  });
});
