// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { RECEIPT_DELAY_MS, TYPING_HOLDS_MS, TYPING_REPEAT_MS, type ClientFrame } from '../src';
import { conversationOf, World } from './world';

const ofType = (world: World, type: ClientFrame['type']) => world.engine.seen.filter((frame) => frame.type === type);

describe('receipts', () => {
  test('what has arrived is told, and what was read, once for a burst', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one', 'two', 'three');
    const agent = world.agent();
    agent.start();
    world.clock.advance(1_000);
    expect(conversationOf(visitor).others).toMatchObject({ delivered: 3, read: 0 });
    agent.read(conversationOf(agent).id);
    world.clock.advance(RECEIPT_DELAY_MS + 500);
    expect(conversationOf(visitor).others).toMatchObject({ delivered: 3, read: 3 });
    const ofAgent = ofType(world, 'receipt').filter((frame) => frame.type === 'receipt' && frame.read > 0);
    expect(ofAgent).toHaveLength(1);
  });

  test('one that falls back changes nothing', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one', 'two');
    const agent = world.agent();
    agent.start();
    world.clock.advance(1_000);
    const { id } = conversationOf(visitor);
    agent.read(id);
    world.clock.advance(1_000);
    const reader = { kind: 'agent', id: 'agent-1' } as const;
    for (const receipt of world.engine.conversations[0]?.receipts.values() ?? []) {
      world.engine.conversations[0]?.receipts.set(reader.id, { ...receipt, delivered: 1, read: 0 });
    }
    world.engine.drop();
    world.clock.advance(2_000);
    expect(conversationOf(visitor).others).toMatchObject({ delivered: 2, read: 2 });
  });

  test('a new connection is told again', () => {
    const world = new World();
    world.talkingVisitor('one');
    const before = ofType(world, 'receipt').length;
    world.engine.drop();
    world.clock.advance(3_000);
    expect(ofType(world, 'receipt').length).toBe(before + 1);
  });
});

describe('typing', () => {
  test('is said once in a while, and taken back when the user rests', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const agent = world.agent();
    agent.start();
    world.clock.advance(1_000);
    const { id } = conversationOf(visitor);
    for (let letters = 0; letters < 5; letters += 1) visitor.typing(id, true);
    world.clock.advance(500);
    expect(ofType(world, 'typing')).toHaveLength(1);
    expect(conversationOf(agent).others.typing.map(({ kind }) => kind)).toEqual(['visitor']);
    world.clock.advance(TYPING_REPEAT_MS);
    visitor.typing(id, true);
    world.clock.advance(500);
    expect(ofType(world, 'typing')).toHaveLength(2);
    world.clock.advance(TYPING_HOLDS_MS + 500);
    expect(conversationOf(agent).others.typing).toEqual([]);
    expect(ofType(world, 'typing').at(-1)).toMatchObject({ typing: false });
  });

  test('ends with what is said, and with a connection that is lost', () => {
    const world = new World();
    const visitor = world.talkingVisitor('one');
    const agent = world.agent();
    agent.start();
    world.clock.advance(1_000);
    const { id } = conversationOf(visitor);
    visitor.typing(id, true);
    world.clock.advance(500);
    visitor.send({ kind: 'conversation', id }, 'two');
    world.clock.advance(500);
    expect(conversationOf(agent).others.typing).toEqual([]);
    world.clock.advance(TYPING_REPEAT_MS);
    visitor.typing(id, true);
    world.clock.advance(500);
    expect(conversationOf(agent).others.typing).toHaveLength(1);
    world.engine.drop();
    world.clock.advance(100);
    expect(conversationOf(agent).others.typing).toEqual([]);
  });
});
