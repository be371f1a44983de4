// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { seededRandom, type Fault } from '@chattenant/testserver';
import { describe, expect, test } from 'vitest';
import { bodies, conversationOf, only, World } from './world';

const FAULTS: readonly Fault[] = [
  'swallow',
  'cut',
  'cut-after-commit',
  { code: 'rate_limited', retryAfterMs: 400 },
  { code: 'unavailable' },
];

/** Breaks what can break, at random, for as long as it runs. */
function torment(world: World, random: () => number): void {
  world.engine.fault = () => (random() < 0.3 ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined);
  const blow = () => {
    const choice = random();
    if (choice < 0.2) world.engine.drop();
    else if (choice < 0.3) world.engine.drain(random() * 500);
    else if (choice < 0.4) world.network.down = !world.network.down;
    else if (choice < 0.5) world.network.silent = !world.network.silent;
    else world.engine.heartbeat();
  };
  for (let turn = 0; turn < 200; turn += 1) {
    world.clock.advance(random() * 3_000);
    blow();
  }
}

function recover(world: World): void {
  world.network.down = false;
  world.network.silent = false;
  world.engine.fault = () => undefined;
  for (let beat = 0; beat < 12; beat += 1) {
    world.clock.advance(15_000);
    world.engine.heartbeat();
  }
}

describe('under faults of every kind', () => {
  const seeds = Array.from({ length: 25 }, (_, seed) => seed);
  test.each(seeds)('nothing is lost, doubled or reordered (seed %i)', (seed) => {
    const world = new World();
    const random = seededRandom(seed);
    const agent = world.agent();
    agent.start();
    const visitor = world.talkingVisitor('v0');
    const target = { kind: 'conversation', id: conversationOf(visitor).id } as const;
    let written = 0;
    const type = () => {
      written += 1;
      visitor.send(target, `v${written}`);
      agent.send(target, `a${written}`);
      if (written < 40) world.clock.after(random() * 8_000, type);
    };
    world.clock.after(0, type);
    torment(world, random);
    recover(world);

    const order = only(world.engine.conversations).events.map(({ body }) => body);
    expect(bodies(visitor)).toEqual(order);
    expect(bodies(agent)).toEqual(order);
    const by = (author: string) => order.filter((body) => body.startsWith(author));
    expect(by('v')).toEqual(Array.from({ length: written + 1 }, (_, n) => `v${n}`));
    expect(by('a')).toEqual(Array.from({ length: written }, (_, n) => `a${n + 1}`));
    expect(conversationOf(visitor).pending).toEqual([]);
  });
});
