// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Requests } from '@chattenant/testserver';
import { describe, expect, test } from 'vitest';
import { ChatClient, MAX_BATCH, PROBE_TIMEOUT_MS, SILENCE_MS, streamTransport, type EventFrame } from '../src';
import { bodies, conversationOf, only, World } from './world';

/** Lets promises and streams in memory come to rest. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A world whose clients know no WebSockets. */
class StreamWorld extends World {
  readonly requests = new Requests(this.engine);

  override visitor(deps: Parameters<World['visitor']>[0] = {}): ChatClient {
    return super.visitor({ transport: streamTransport(this.requests.fetch, this.clock), ...deps });
  }

  /** Time passes, and what is on its way arrives. */
  async pass(ms: number): Promise<void> {
    const step = 500;
    await rest();
    for (let past = 0; past < ms; past += step) {
      this.clock.advance(Math.min(step, ms - past));
      await rest();
    }
  }

  async talking(...texts: string[]): Promise<ChatClient> {
    const visitor = this.visitor();
    visitor.start();
    const target = visitor.open();
    for (const text of texts) visitor.send(target, text);
    await this.pass(2_000);
    return visitor;
  }

  get committed(): string[] {
    return only(this.engine.conversations).events.map(({ body }: EventFrame) => body);
  }

  get streams(): number {
    return this.requests.paths.filter((path) => path === '/api/v1/stream').length;
  }

  get posts(): number {
    return this.requests.paths.filter((path) => path === '/api/v1/frames').length;
  }
}

describe('without WebSockets', () => {
  test('a conversation is the same', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one', 'two', 'three');
    expect(bodies(visitor)).toEqual(['one', 'two', 'three']);
    expect(conversationOf(visitor).pending).toEqual([]);
    expect(world.streams).toBe(1);
  });

  test('the token is in a body or a header, never in an address', async () => {
    const world = new StreamWorld();
    const { token } = world.engine.newVisitor();
    const visitor = world.visitor({ token });
    visitor.start();
    visitor.open();
    await world.pass(1_000);
    expect(new Set(world.requests.paths)).toEqual(new Set(['/api/v1/stream', '/api/v1/frames']));
    const [stream, ...posts] = world.requests.made;
    expect(JSON.parse(stream?.body ?? '')).toMatchObject({ type: 'hello', token });
    expect(posts.map(({ headers }) => headers['Authorization'])).toEqual(posts.map(() => `Bearer ${token}`));
    expect(posts.some(({ body }) => body.includes(token))).toBe(false);
  });

  test('an answer lost after the commit makes no second message, and the stream continues', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    let faults = 2;
    world.engine.fault = (frame) => (frame.type === 'send' && faults-- > 0 ? 'cut-after-commit' : undefined);
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'two');
    await world.pass(10_000);
    expect(world.committed).toEqual(['one', 'two']);
    expect(bodies(visitor)).toEqual(['one', 'two']);
    expect(conversationOf(visitor).pending).toEqual([]);
    expect(world.streams).toBeGreaterThan(1);
  });

  test('a request that is refused for now is repeated and the stream stays', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    let refusals = 2;
    const error = { code: 'unavailable', message: 'not now', retryAfterMs: 2_000 };
    world.requests.between = ({ url }) =>
      url === '/api/v1/frames' && refusals-- > 0 ? Response.json({ error }, { status: 503 }) : undefined;
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'two');
    await world.pass(1_000);
    expect(world.committed).toEqual(['one']);
    await world.pass(10_000);
    expect(world.committed).toEqual(['one', 'two']);
    expect(world.streams).toBe(1);
  });

  test('a session that ended is the end, said by either', async () => {
    const world = new StreamWorld();
    const unknown = world.visitor({ token: 'expired' });
    unknown.start();
    await world.pass(60_000);
    expect(unknown.snapshot().link).toMatchObject({ kind: 'refused', code: 'unauthenticated' });
    expect(world.streams).toBe(1);
    const visitor = await world.talking('one');
    world.engine.forgetVisitors();
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'two');
    await world.pass(60_000);
    expect(visitor.snapshot().link).toMatchObject({ kind: 'refused', code: 'unauthenticated' });
    expect(bodies(visitor)).toEqual(['one']);
  });

  test('what something in between says is not the server speaking', async () => {
    const world = new StreamWorld();
    let pages = 3;
    world.requests.between = () =>
      pages-- > 0 ? new Response('<h1>Forbidden by policy</h1>', { status: 403 }) : undefined;
    const visitor = await world.talking('one');
    await world.pass(20_000);
    expect(visitor.snapshot().link.kind).toBe('online');
    expect(bodies(visitor)).toEqual(['one']);
  });

  test('a page in the place of the stream is no stream', async () => {
    const world = new StreamWorld();
    let pages = 1;
    world.requests.between = () => (pages-- > 0 ? new Response('<h1>Please sign in</h1>') : undefined);
    const visitor = await world.talking('one');
    await world.pass(5_000);
    expect(bodies(visitor)).toEqual(['one']);
  });

  test('frames go in order, one request at a time, and not too many in one', async () => {
    const world = new StreamWorld();
    const connection = streamTransport(world.requests.fetch, world.clock)({
      opened: () => undefined,
      received: () => undefined,
      answered: () => undefined,
      closed: () => undefined,
    });
    const { token } = world.engine.newVisitor();
    connection.send(JSON.stringify({ type: 'hello', protocol: 1, token, cursors: {} }));
    await rest();
    const frames = 2 * MAX_BATCH + 1;
    for (let n = 0; n < frames; n += 1) connection.send(JSON.stringify({ type: 'open', clientId: `${n}` }));
    connection.send(JSON.stringify({ type: 'ping', padding: 'x'.repeat(15_000) }));
    connection.send(JSON.stringify({ type: 'ping', padding: 'x'.repeat(15_000) }));
    await rest();
    const batches = world.requests.made.slice(1).map(({ body }) => JSON.parse(body) as { frames: object[] });
    expect(batches.every(({ frames: { length } }) => length > 0 && length <= MAX_BATCH)).toBe(true);
    expect(world.requests.made.slice(1).every(({ body }) => body.length <= 21_000)).toBe(true);
    const opened = batches.flatMap((batch) => batch.frames).slice(0, frames);
    expect(opened).toEqual(Array.from({ length: frames }, (_, n) => ({ type: 'open', clientId: `${n}` })));
    expect(world.engine.seen.filter(({ type }) => type === 'ping')).toHaveLength(2);
    connection.close();
  });

  test('a request without an answer ends the connection, and is made again', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    const inner = world.requests.fetch;
    let held = 1;
    const silent: typeof fetch = (input, init) =>
      input === '/api/v1/frames' && held-- > 0 ? new Promise(() => undefined) : inner(input, init);
    const other = world.visitor({ transport: streamTransport(silent, world.clock) });
    other.start();
    other.send(other.open(), 'two');
    for (let beat = 0; beat < 4; beat += 1) {
      world.engine.heartbeat();
      await world.pass(6_000);
    }
    expect(bodies(other)).toEqual(['two']);
    expect(bodies(visitor)).toEqual(['one']);
  });

  test('silence ends a stream though requests are answered', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    for (let past = 0; past < SILENCE_MS - 5_000; past += 5_000) {
      world.wake();
      await world.pass(5_000);
    }
    expect(world.streams).toBe(1);
    expect(world.posts).toBeGreaterThan(6);
    await world.pass(8_000);
    expect(world.streams).toBe(2);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('waking up asks the server, which tells of what the stream did not bring', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    world.wake();
    await world.pass(PROBE_TIMEOUT_MS + 1_000);
    expect(world.streams).toBe(1);
    // The stream has died without a word, and another tab says something.
    const self = only(world.engine.conversations);
    const author = { kind: 'visitor', id: self.visitor } as const;
    world.engine.commit(author, self, 'elsewhere', 'two');
    world.wake();
    await world.pass(PROBE_TIMEOUT_MS + 2_000);
    expect(world.streams).toBe(2);
    expect(bodies(visitor)).toEqual(['one', 'two']);
  });

  test('a server that does not answer a wake-up is given up', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    world.engine.fault = (frame) => (frame.type === 'ping' ? 'cut' : undefined);
    world.wake();
    await world.pass(PROBE_TIMEOUT_MS + 1_000);
    expect(world.streams).toBe(2);
    expect(visitor.snapshot().link.kind).toBe('online');
  });

  test('a stopped client leaves neither stream nor timer', async () => {
    const world = new StreamWorld();
    const visitor = await world.talking('one');
    visitor.stop();
    await world.pass(1_000);
    expect(world.engine.connections).toBe(0);
    expect(world.clock.waiting).toBe(0);
    const posts = world.posts;
    visitor.send({ kind: 'conversation', id: conversationOf(visitor).id }, 'two');
    await world.pass(1_000);
    expect(world.posts).toBe(posts);
  });
});
