// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { ERROR_CODES, type ErrorCode } from './frames';
import type { SearchAnswer, SearchRequest } from './search';

/** How long an answer may take. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** What anyone may know before the first word. */
export interface Info {
  readonly protocol: number;
  readonly displayName: string;
  readonly policyURL: string;
  readonly region: { readonly name: string; readonly displayName: string; readonly jurisdiction: string };
  /** Whether any agent is there; left out by servers that do not say. */
  readonly available?: boolean;
}

export interface VisitorSession {
  readonly visitor: string;
  /** A bearer secret: never logged, never part of a URL. */
  readonly token: string;
  readonly expiresAt: string;
}

export interface AgentSession {
  readonly agent: string;
  readonly displayName: string;
}

/** The server answered with an error, or (code `unreachable`) not at all. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode | 'unreachable';
  readonly retryAfterMs: number;

  constructor(code: ErrorCode | 'unreachable', message: string, retryAfterMs = 0, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The HTTP half of the protocol, for pages that the chat server itself serves. */
export class Api {
  readonly #fetch: typeof fetch;

  constructor(fetchLike: typeof fetch) {
    this.#fetch = fetchLike;
  }

  info(): Promise<Info> {
    return this.#request<Info>('GET', '/api/v1/info');
  }

  startVisitor(): Promise<VisitorSession> {
    return this.#request<VisitorSession>('POST', '/api/v1/visitor/session', {});
  }

  /** Who is signed in; rejects with `unauthenticated` when nobody is. */
  currentAgent(): Promise<AgentSession> {
    return this.#request<AgentSession>('GET', '/api/v1/agent/session');
  }

  signIn(email: string, password: string): Promise<AgentSession> {
    return this.#request<AgentSession>('POST', '/api/v1/agent/session', { email, password });
  }

  redeemInvitation(token: string, password: string): Promise<AgentSession> {
    return this.#request<AgentSession>('POST', '/api/v1/agent/invitation', { token, password });
  }

  /** What was asked for goes in the body, never into an address. */
  search(request: SearchRequest): Promise<SearchAnswer> {
    return this.#request<SearchAnswer>('POST', '/api/v1/agent/search', request);
  }

  async signOut(): Promise<void> {
    await this.#request('DELETE', '/api/v1/agent/session');
  }

  async #request<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await this.#answer(method, path, body);
    const text = await response.text().catch(() => '');
    if (!response.ok) throw errorOf(response, text);
    // The server's contract; what is drawn from it is only ever drawn as text.
    return (text === '' ? undefined : parse(text)) as T;
  }

  async #answer(method: string, path: string, body?: object): Promise<Response> {
    try {
      return await this.#fetch.call(globalThis, path, {
        method,
        cache: 'no-store',
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        // The mode stays the default: with any other, a page without referrers would send `Origin: null`.
        ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new ApiError('unreachable', 'the chat server cannot be reached', 0, { cause });
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('internal', 'the answer is not JSON', 0, { cause });
  }
}

/** The error of this protocol that a body holds, if it holds one: what stands between may answer too. */
export function errorIn(text: string): { code: ErrorCode; message: string; retryAfterMs: number } | undefined {
  const { code, message, retryAfterMs } = errorBody(text);
  const known = ERROR_CODES.find((candidate) => candidate === code);
  if (known === undefined || typeof message !== 'string') return undefined;
  return { code: known, message, retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : 0 };
}

function errorOf(response: Response, text: string): ApiError {
  const { code, message, retryAfterMs } = errorBody(text);
  const seconds = Number(response.headers.get('Retry-After') ?? 0);
  const known = ERROR_CODES.find((candidate) => candidate === code) ?? codeOf(response.status);
  const delay = typeof retryAfterMs === 'number' ? retryAfterMs : 0;
  const detail = typeof message === 'string' ? message : `the chat server answered ${response.status}`;
  return new ApiError(known, detail, Math.max(delay, Number.isFinite(seconds) ? seconds * 1000 : 0));
}

function errorBody(text: string): { code?: unknown; message?: unknown; retryAfterMs?: unknown } {
  try {
    const value = JSON.parse(text) as { error?: object } | null;
    return value?.error ?? {};
  } catch {
    return {};
  }
}

/** For answers that something before the chat server gave. */
function codeOf(status: number): ErrorCode {
  const codes: Readonly<Record<number, ErrorCode>> = {
    400: 'invalid_request',
    401: 'unauthenticated',
    403: 'forbidden',
    404: 'not_found',
    413: 'too_large',
    429: 'rate_limited',
    503: 'unavailable',
  };
  return codes[status] ?? 'internal';
}
