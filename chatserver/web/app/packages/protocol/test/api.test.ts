// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { Api, ApiError } from '../src';

interface Call {
  readonly path: string;
  readonly init: RequestInit | undefined;
}

function apiAnswering(answer: () => Response | Promise<Response>): { api: Api; calls: Call[] } {
  const calls: Call[] = [];
  const api = new Api((path, init) => {
    calls.push({ path: path as string, init });
    return Promise.resolve(answer());
  });
  return { api, calls };
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const outcome: unknown = await promise.catch((error: unknown) => error);
  if (!(outcome instanceof ApiError)) throw new Error('expected an ApiError');
  return outcome;
}

describe('the HTTP interface', () => {
  test('a body is JSON and says so', async () => {
    const { api, calls } = apiAnswering(() => Response.json({ agent: 'a', displayName: 'Ada' }));
    expect(await api.signIn('ada@acme.example', 'pw')).toEqual({ agent: 'a', displayName: 'Ada' });
    expect(calls).toMatchObject([{ path: '/api/v1/agent/session', init: { method: 'POST' } }]);
    expect(calls[0]?.init?.headers).toEqual({ 'Content-Type': 'application/json' });
    expect(calls[0]?.init?.body).toBe('{"email":"ada@acme.example","password":"pw"}');
  });

  test('an answer without content is fine', async () => {
    const { api } = apiAnswering(() => new Response(null, { status: 204 }));
    await expect(api.signOut()).resolves.toBeUndefined();
  });

  test('an error carries its code and when to come back', async () => {
    const body = { error: { code: 'rate_limited', message: 'slow down', retryAfterMs: 100 } };
    const { api } = apiAnswering(() => Response.json(body, { status: 429, headers: { 'Retry-After': '7' } }));
    expect(await failure(api.signIn('a', 'b'))).toMatchObject({ code: 'rate_limited', retryAfterMs: 7_000 });
  });

  test('an error page of something in between is known by its status', async () => {
    const { api } = apiAnswering(() => new Response('<h1>Bad gateway</h1>', { status: 502 }));
    expect(await failure(api.info())).toMatchObject({ code: 'internal' });
    const unauthorised = apiAnswering(() => new Response('null', { status: 401 }));
    expect(await failure(unauthorised.api.currentAgent())).toMatchObject({ code: 'unauthenticated' });
  });

  test('no answer at all is unreachable', async () => {
    const { api } = apiAnswering(() => Promise.reject(new TypeError('failed to fetch')));
    expect(await failure(api.info())).toMatchObject({ code: 'unreachable' });
  });

  test('an answer that is no JSON is a fault of the server', async () => {
    const { api } = apiAnswering(() => new Response('hello'));
    expect(await failure(api.info())).toMatchObject({ code: 'internal' });
  });
});
