// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { FakeClock } from '@chattenant/testserver';
import { describe, expect, test } from 'vitest';
import { ABNORMAL_CLOSE, autoTransport, FIRST_FRAME_MS, STREAMS_FOR_MS, type Transport } from '../src';

type Fate = 'works' | 'fails' | 'silent';

/** A day in the life of a page: what gets through changes, and connections begin. */
class Day {
  readonly clock = new FakeClock();
  socket: Fate = 'fails';
  stream: Fate = 'fails';
  requests = false;
  /** What was taken: w or s, in upper case if it worked. */
  taken = '';
  closed = 0;
  #probes = 0;
  readonly #transport = autoTransport({
    socket: this.#way('w', () => this.socket),
    stream: this.#way('s', () => this.stream),
    clock: this.clock,
    answers: () => {
      this.#probes += 1;
      return Promise.resolve(this.requests);
    },
  });

  get probes(): number {
    return this.#probes;
  }

  #way(name: string, fate: () => Fate): Transport {
    return (events) => {
      const is = fate();
      this.taken += is === 'works' ? name.toUpperCase() : name;
      this.clock.after(10, () => {
        events.opened();
        if (is === 'works') events.received('{}');
        if (is === 'fails') events.closed(ABNORMAL_CLOSE);
      });
      return { send: () => undefined, close: () => undefined };
    };
  }

  async connect(times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const connection = this.#transport({
        opened: () => undefined,
        received: () => undefined,
        answered: () => undefined,
        closed: () => {
          this.closed += 1;
        },
      });
      this.clock.advance(FIRST_FRAME_MS);
      connection.close();
      await Promise.resolve();
      await Promise.resolve();
    }
  }
}

describe('between WebSockets and streams', () => {
  test('nothing changes where all is well', async () => {
    const day = Object.assign(new Day(), { socket: 'works', stream: 'works', requests: true });
    await day.connect(4);
    expect(day.taken).toBe('WWWW');
    expect(day.probes).toBe(0);
  });

  test('streams are taken where WebSockets are refused', async () => {
    const day = Object.assign(new Day(), { stream: 'works', requests: true });
    await day.connect(5);
    expect(day.taken).toBe('wwSSS');
  });

  test('and where they are held without an answer', async () => {
    const day = Object.assign(new Day(), { socket: 'silent', stream: 'works', requests: true });
    await day.connect(4);
    expect(day.taken).toBe('wwSS');
    expect(day.closed).toBe(2);
  });

  test('a server that is away blocks nothing', async () => {
    const day = new Day();
    await day.connect(5);
    Object.assign(day, { socket: 'works', stream: 'works', requests: true });
    await day.connect(1);
    expect(day.taken).toBe('wwwwwW');
  });

  test('one WebSocket that fails now and then blocks nothing', async () => {
    const day = Object.assign(new Day(), { requests: true });
    for (const socket of ['fails', 'works', 'fails', 'works'] as const) {
      day.socket = socket;
      await day.connect(1);
    }
    expect(day.taken).toBe('wWwW');
  });

  test('where neither works, both are tried', async () => {
    const day = Object.assign(new Day(), { requests: true });
    await day.connect(7);
    expect(day.taken).toBe('wwswwsw');
  });

  test('a stream that stays silent is no way either', async () => {
    const day = Object.assign(new Day(), { stream: 'silent', requests: true });
    await day.connect(4);
    expect(day.taken).toBe('wwsw');
  });

  test('what was found out survives an outage, and is put to the test once in a while', async () => {
    const day = Object.assign(new Day(), { stream: 'works', requests: true });
    await day.connect(3);
    Object.assign(day, { stream: 'fails', requests: false });
    await day.connect(2);
    Object.assign(day, { stream: 'works', requests: true });
    await day.connect(1);
    expect(day.taken).toBe('wwSssS');
    day.clock.advance(STREAMS_FOR_MS);
    await day.connect(3);
    expect(day.taken).toBe('wwSssSwSS');
    day.clock.advance(STREAMS_FOR_MS);
    day.socket = 'works';
    await day.connect(2);
    expect(day.taken).toBe('wwSssSwSSWW');
  });

  test('a page that is left leaves no timer', async () => {
    const day = Object.assign(new Day(), { socket: 'silent', requests: true });
    await day.connect(1);
    expect(day.clock.waiting).toBe(0);
  });
});
