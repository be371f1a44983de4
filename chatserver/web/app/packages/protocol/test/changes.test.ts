// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import type { ChatClient, ClientFrame } from '../src';
import { bodies, conversationOf, only, World } from './world';

const kinds = (client: ChatClient) => conversationOf(client).events.map(({ kind }) => kind);
const changes = (frames: readonly ClientFrame[]) =>
  frames.filter((frame) => frame.type === 'edit' || frame.type === 'delete');

/** A visitor who said something, an agent, and the message. */
function talk(world: World, ...texts: string[]) {
  const agent = world.agent();
  agent.start();
  const visitor = world.talkingVisitor(...texts);
  const { id, events } = conversationOf(visitor);
  return { agent, visitor, id, message: events[0]?.id ?? '' };
}

describe('changes of own messages', () => {
  test('an edit and a deletion arrive in the order they were made in, and the words are gone for everyone', () => {
    const world = new World();
    const { agent, visitor, id, message } = talk(world, 'helo');
    visitor.edit(id, message, 'hello');
    visitor.send({ kind: 'conversation', id }, 'more');
    visitor.remove(id, message);
    expect(conversationOf(visitor).pending.map(({ change }) => change?.kind)).toEqual(['edit', undefined, 'deletion']);
    world.clock.advance(1_000);
    expect(conversationOf(visitor).pending).toEqual([]);
    for (const client of [visitor, agent]) {
      expect(kinds(client)).toEqual(['message', 'edit', 'message', 'deletion']);
      expect(bodies(client)).toEqual(['', '', 'more', '']);
    }
  });

  test('are kept while there is no connection, and are made once however often they are said', () => {
    const world = new World();
    const { visitor, id, message } = talk(world, 'helo');
    let cuts = 2;
    world.engine.fault = ({ type }) => (type === 'edit' && cuts-- > 0 ? 'cut-after-commit' : undefined);
    world.network.down = true;
    world.engine.drop();
    visitor.edit(id, message, 'hello');
    world.clock.advance(5_000);
    expect(only(conversationOf(visitor).pending)).toMatchObject({ state: 'queued', change: { kind: 'edit' } });
    world.network.down = false;
    world.clock.advance(60_000);
    expect(cuts).toBeLessThanOrEqual(1);
    expect(conversationOf(visitor).pending).toEqual([]);
    expect(kinds(visitor)).toEqual(['message', 'edit']);
  });

  test('one that is refused says so, can be tried again and can be given up', () => {
    const world = new World();
    const { visitor, id, message } = talk(world, 'helo');
    world.engine.fault = ({ type }) => (type === 'delete' ? { code: 'forbidden' } : undefined);
    visitor.remove(id, message);
    world.clock.advance(1_000);
    const { clientId, state, failure } = only(conversationOf(visitor).pending);
    expect([state, failure?.code]).toEqual(['failed', 'forbidden']);
    visitor.retry(clientId);
    world.clock.advance(1_000);
    expect(new Set(changes(world.engine.seen).map((frame) => frame.clientId)).size).toBe(1);
    visitor.discard(clientId);
    expect(conversationOf(visitor).pending).toEqual([]);
    expect(bodies(visitor)).toEqual(['helo']);
  });

  test('a message that is gone cannot be edited, nor can another’s', () => {
    const world = new World();
    const { agent, visitor, id, message } = talk(world, 'hello');
    visitor.remove(id, message);
    visitor.edit(id, message, 'late');
    agent.edit(id, message, 'not mine');
    world.clock.advance(1_000);
    expect(only(conversationOf(visitor).pending).failure?.code).toBe('not_found');
    expect(only(conversationOf(agent).pending).failure?.code).toBe('not_found');
    expect(kinds(agent)).toEqual(['message', 'deletion']);
  });

  test('an edit without any visible character is none', () => {
    const world = new World();
    const { visitor, id, message } = talk(world, 'hello');
    visitor.edit(id, message, ' \n ');
    expect(conversationOf(visitor).pending).toEqual([]);
  });
});
