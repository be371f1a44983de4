// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { conversationOf, World } from './world';

const BOB = { kind: 'agent', id: 'agent-2', displayName: 'Bob' } as const;

describe('presence', () => {
  test('a visitor knows whether anyone is there, and of those who wrote whether they are', () => {
    const world = new World();
    const visitor = world.talkingVisitor('hello');
    expect(visitor.snapshot().available).toBe(false);
    const agent = world.agent();
    agent.start();
    world.clock.advance(1_000);
    expect(visitor.snapshot().available).toBe(true);
    expect(conversationOf(visitor).people).toEqual([]);
    agent.send({ kind: 'conversation', id: conversationOf(agent).id }, 'hi');
    world.clock.advance(1_000);
    expect(conversationOf(visitor).people).toMatchObject([{ kind: 'agent', online: true }]);
    agent.stop();
    world.clock.advance(1_000);
    expect(conversationOf(visitor).people).toMatchObject([{ kind: 'agent', online: false }]);
    expect(visitor.snapshot().available).toBe(false);
  });

  test('an agent knows which visitors and how many colleagues are there', () => {
    const world = new World();
    const agent = world.agent();
    agent.start();
    const visitor = world.talkingVisitor('hello');
    expect(conversationOf(agent).people).toMatchObject([{ kind: 'visitor', online: true }]);
    expect(agent.snapshot().colleagues).toBe(0);
    const bob = world.agent({ transport: world.network.transport(BOB) });
    bob.start();
    world.clock.advance(1_000);
    expect(agent.snapshot().colleagues).toBe(1);
    visitor.stop();
    bob.stop();
    world.clock.advance(1_000);
    expect(conversationOf(agent).people).toMatchObject([{ online: false }]);
    expect(agent.snapshot().colleagues).toBe(0);
  });

  test('a new connection forgets the colleagues of the last one, who may have left meanwhile', () => {
    const world = new World();
    const agent = world.agent();
    agent.start();
    const bob = world.agent({ transport: world.network.transport(BOB) });
    bob.start();
    world.clock.advance(1_000);
    world.network.down = true;
    bob.stop();
    world.engine.drop();
    world.clock.advance(1_000);
    world.network.down = false;
    world.clock.advance(40_000);
    expect(agent.snapshot()).toMatchObject({ link: { kind: 'online' }, colleagues: 0 });
  });
});
