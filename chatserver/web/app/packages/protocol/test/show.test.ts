// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import type { ChatClient } from '../src';
import { World } from './world';

/** A world with an agent who is told of one conversation only, of `count` that there are. */
function crowded(count: number): { world: World; agent: ChatClient; ids: string[] } {
  const world = new World();
  world.engine.window = 1;
  const ids = Array.from({ length: count }, (_, index) => {
    const visitor = { kind: 'visitor', id: `v${index}` } as const;
    const conversation = world.engine.open(visitor, 'x');
    world.engine.commit(visitor, conversation, 'y', `hello ${index}`);
    world.clock.advance(10);
    return conversation.id;
  });
  const agent = world.agent();
  agent.start();
  world.clock.advance(1_000);
  return { world, agent, ids };
}

const shown = (agent: ChatClient) =>
  agent.snapshot().conversations.map(({ id, events }) => [id, events.map(({ body }) => body)]);

describe('a conversation the server does not tell of by itself', () => {
  test('comes when it is asked for, with what was said, and stays over a reconnect', () => {
    const { world, agent, ids } = crowded(3);
    expect(shown(agent)).toEqual([[ids[2], ['hello 2']]]);
    agent.show(ids[0] ?? '');
    world.clock.advance(1_000);
    expect(shown(agent)).toContainEqual([ids[0], ['hello 0']]);
    expect(agent.snapshot().link.kind).toBe('online');
    world.engine.drop();
    world.clock.advance(5_000);
    const [oldest] = world.engine.conversations;
    if (!oldest) throw new Error('conversations were made');
    world.engine.fanOut(world.engine.commit({ kind: 'visitor', id: 'v0' }, oldest, 'z', 'still here')[0]);
    world.clock.advance(1_000);
    expect(shown(agent)).toContainEqual([ids[0], ['hello 0', 'still here']]);
  });

  test('comes too when it was asked for while connecting or offline', () => {
    const { world, agent, ids } = crowded(3);
    world.engine.drop();
    agent.show(ids[0] ?? '');
    world.clock.advance(1);
    agent.show(ids[1] ?? '');
    world.clock.advance(5_000);
    expect(agent.snapshot().conversations).toHaveLength(3);
  });

  test('costs no other connection if it is here already', () => {
    const { world, agent, ids } = crowded(2);
    const attempts = world.network.attempts;
    agent.show(ids[1] ?? '');
    world.clock.advance(1_000);
    expect(world.network.attempts).toBe(attempts);
  });

  test('that does not exist costs one connection, and nothing more', () => {
    const { world, agent } = crowded(1);
    const attempts = world.network.attempts;
    agent.show('nowhere');
    world.clock.advance(30_000);
    expect(world.network.attempts).toBe(attempts + 1);
    expect(agent.snapshot().link.kind).toBe('online');
  });
});
