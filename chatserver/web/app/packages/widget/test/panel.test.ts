// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Api, ChatClient, type Clock, type Transport } from '@chattenant/protocol';
import { Engine, FakeClock, Network, seededRandom } from '@chattenant/testserver';
import { describe, expect, test } from 'vitest';
import { Panel, RESUME_GRACE_MS } from '../src/panel';
import { hereStatus } from '../src/presence';
import { sessionTokenStore, type TokenStore } from '../src/token';

const info = { protocol: 1, displayName: 'Acme', policyURL: 'https://x', region: { name: 'r' } };

class MemoryTokens implements TokenStore {
  token: string | undefined;
  load(): string | undefined {
    return this.token;
  }
  save(token: string): void {
    this.token = token;
  }
  clear(): void {
    this.token = undefined;
  }
}

/** A panel, its server and everything between them. */
class Visit {
  readonly clock = new FakeClock();
  readonly engine = new Engine();
  readonly network = new Network(this.clock, this.engine);
  readonly tokens = new MemoryTokens();
  readonly paths: string[] = [];
  failing = false;
  available = false;
  readonly panel: Panel;

  constructor() {
    const api = new Api((path) => {
      this.paths.push(path as string);
      if (this.failing) return Promise.reject(new TypeError('offline'));
      const answer = path === '/api/v1/info' ? { ...info, available: this.available } : this.engine.newVisitor();
      return Promise.resolve(Response.json(answer));
    });
    this.panel = new Panel({ api, clock: this.clock, tokens: this.tokens, connect: (token) => this.#client(token) });
  }

  get kind(): string {
    return this.panel.snapshot().view.kind;
  }

  /** An agent at their desk. */
  agent(): ChatClient {
    const agent = this.#connect(this.network.transport({ kind: 'agent', id: 'ada', displayName: 'Ada' }));
    agent.start();
    return agent;
  }

  #client(token: string): ChatClient {
    return this.#connect(this.network.transport(), token);
  }

  #connect(transport: Transport, token?: string): ChatClient {
    const clock: Clock = this.clock;
    let ids = 0;
    const newId = () => `id-${(ids += 1)}`;
    const random = seededRandom(1);
    const deps = { transport, clock, random, newId, wakeSignal: () => () => undefined };
    return new ChatClient({ ...deps, ...(token !== undefined && { token }) });
  }
}

describe('the panel', () => {
  test('asks for the information only, until the visitor speaks', async () => {
    const visit = new Visit();
    expect(visit.kind).toBe('loading');
    await visit.panel.load();
    expect(visit.kind).toBe('start');
    expect(visit.paths).toEqual(['/api/v1/info']);
    expect(visit.network.attempts).toBe(0);
  });

  test('keeps the token once the conversation exists, not before', async () => {
    const visit = new Visit();
    await visit.panel.load();
    await visit.panel.begin({ body: 'hello' });
    expect(visit.kind).toBe('chat');
    expect(visit.tokens.token).toBeUndefined();
    visit.clock.advance(1_000);
    expect(visit.tokens.token).toBeDefined();
    expect(visit.engine.conversations[0]?.events.map(({ body }) => body)).toEqual(['hello']);
  });

  test('two impatient clicks begin one chat', async () => {
    const visit = new Visit();
    await visit.panel.load();
    await Promise.all([visit.panel.begin({ body: 'hello' }), visit.panel.begin({ body: 'hello' })]);
    visit.clock.advance(1_000);
    expect(visit.engine.conversations.map(({ events }) => events.length)).toEqual([1]);
    expect(visit.paths.filter((path) => path.includes('visitor'))).toHaveLength(1);
  });

  test('says what went wrong when no chat could be begun, and lets the visitor try again', async () => {
    const visit = new Visit();
    await visit.panel.load();
    visit.failing = true;
    await visit.panel.begin({ body: 'hello' });
    expect(visit.panel.snapshot().view).toMatchObject({ kind: 'start', busy: false, problem: { code: 'unreachable' } });
    visit.failing = false;
    await visit.panel.begin({ body: 'hello' });
    expect(visit.kind).toBe('chat');
  });

  test('a server that cannot be reached at first can be tried again', async () => {
    const visit = new Visit();
    visit.failing = true;
    await visit.panel.load();
    expect(visit.kind).toBe('unavailable');
    visit.failing = false;
    await visit.panel.load();
    expect(visit.kind).toBe('start');
  });

  test('a token the server forgot is thrown away, and the first screen says that the chat ended', async () => {
    const visit = new Visit();
    visit.tokens.token = 'expired';
    await visit.panel.load();
    expect(visit.kind).toBe('chat');
    visit.clock.advance(1_000);
    expect(visit.panel.snapshot().view).toMatchObject({ kind: 'start', ended: true });
    expect(visit.tokens.token).toBeUndefined();
  });

  test('a known visitor whose conversation is gone gets the first screen after a moment', async () => {
    const visit = new Visit();
    visit.tokens.token = visit.engine.newVisitor().token;
    await visit.panel.load();
    visit.clock.advance(1_000);
    expect(visit.kind).toBe('chat');
    visit.clock.advance(RESUME_GRACE_MS);
    expect(visit.kind).toBe('start');
    await visit.panel.begin({ body: 'again' });
    visit.clock.advance(1_000);
    expect(visit.engine.conversations).toHaveLength(1);
  });

  test('asks again whether anyone is there, and not knowing changes nothing', async () => {
    const visit = new Visit();
    await visit.panel.load();
    expect(visit.panel.snapshot().info?.available).toBe(false);
    visit.available = true;
    visit.failing = true;
    await visit.panel.look();
    expect(visit.panel.snapshot().info?.available).toBe(false);
    visit.failing = false;
    await visit.panel.look();
    expect(visit.panel.snapshot().info?.available).toBe(true);
    expect(visit.kind).toBe('start');
  });

  test('says who is there: whoever wrote, else whether anyone is', async () => {
    const visit = new Visit();
    await visit.panel.load();
    const status = () => hereStatus(visit.panel.snapshot().info, visit.panel.snapshot().view);
    expect(status()).toEqual({ kind: 'away', words: 'Nobody is here right now' });
    await visit.panel.begin({ body: 'hello' });
    visit.clock.advance(1_000);
    expect(status()).toEqual({ kind: 'away', words: 'Nobody is here right now' });
    const agent = visit.agent();
    visit.clock.advance(1_000);
    expect(status()).toEqual({ kind: 'online', words: 'We are here' });
    agent.send({ kind: 'conversation', id: agent.snapshot().conversations[0]?.id ?? '' }, 'hi');
    visit.clock.advance(1_000);
    expect(status()).toEqual({ kind: 'online', words: 'Ada is here' });
    agent.stop();
    visit.clock.advance(1_000);
    expect(status()).toEqual({ kind: 'away', words: 'Nobody is here right now' });
  });

  test('changes own messages', async () => {
    const visit = new Visit();
    await visit.panel.load();
    await visit.panel.begin({ body: 'helo' });
    visit.clock.advance(1_000);
    const message = () => visit.engine.conversations[0]?.events[0];
    visit.panel.edit(message()?.id ?? '', 'hello');
    visit.clock.advance(1_000);
    expect(visit.engine.conversations[0]?.events[1]).toMatchObject({ kind: 'edit', body: 'hello' });
    visit.panel.remove(message()?.id ?? '');
    visit.clock.advance(1_000);
    expect(message()).toMatchObject({ body: '', erased: true });
  });

  test('starting over forgets the visitor and leaves nothing running', async () => {
    const visit = new Visit();
    await visit.panel.load();
    await visit.panel.begin({ body: 'hello' });
    visit.clock.advance(1_000);
    visit.panel.startOver();
    visit.clock.advance(100);
    expect(visit.kind).toBe('start');
    expect(visit.tokens.token).toBeUndefined();
    expect(visit.clock.waiting).toBe(0);
    expect(visit.engine.connections).toBe(0);
  });
});

describe('the token store', () => {
  test('lives without storage', () => {
    const store = sessionTokenStore(() => {
      throw new DOMException('denied', 'SecurityError');
    });
    store.save('x');
    store.clear();
    expect(store.load()).toBeUndefined();
  });
});
