// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ErrorFrame, Participant } from '@chattenant/protocol';
import type { Engine } from './engine';
import { answerFrames, errorBody, openStream } from './streams';

/** One request as it was made. */
export interface Made {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Code = ErrorFrame['code'];
const STATUS: Partial<Record<Code, number>> = { unauthenticated: 401, rate_limited: 429, unavailable: 503 };

/** The chat server's answers to `fetch` in memory. */
export class Requests {
  /** Requests fail, as if the server were gone. */
  down = false;
  /** What something in between says instead of passing a request on; undefined passes it on. */
  between: (made: Made) => Response | undefined = () => undefined;
  readonly made: Made[] = [];
  readonly #engine: Engine;
  readonly #agent: Participant | undefined;

  constructor(engine: Engine, agent?: Participant) {
    this.#engine = engine;
    this.#agent = agent;
  }

  /** Paths of the requests so far. */
  get paths(): string[] {
    return this.made.map(({ url }) => url);
  }

  readonly fetch: typeof fetch = (input, init) => {
    const made: Made = {
      url: input as string,
      headers: (init?.headers ?? {}) as Record<string, string>,
      body: typeof init?.body === 'string' ? init.body : '',
    };
    this.made.push(made);
    if (this.down) return Promise.reject(new TypeError('Failed to fetch'));
    return Promise.resolve().then(() => this.between(made) ?? this.#answer(made, init?.signal ?? undefined));
  };

  #answer(made: Made, signal: AbortSignal | undefined): Response {
    if (made.url === '/api/v1/info') return Response.json({ protocol: 1 });
    if (made.url === '/api/v1/stream') return this.#stream(made.body, signal);
    const token = /^Bearer (.+)$/.exec(made.headers['Authorization'] ?? '')?.[1];
    const self = this.#engine.visitorOf(token) ?? this.#agent;
    if (!self) return refusal({ type: 'error', code: 'unauthenticated', message: 'unknown or expired' });
    const answer = answerFrames(this.#engine, self, made.body);
    if (answer === undefined) throw new TypeError('Failed to fetch');
    return new Response(answer);
  }

  #stream(hello: string, signal: AbortSignal | undefined): Response {
    let refused: Response | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const encoder = new TextEncoder();
        let open = true;
        const finish = (how: () => void) => {
          if (open) how();
          open = false;
        };
        const gone = openStream(this.#engine, hello, this.#agent, {
          refuse: (error) => {
            refused = refusal(error);
          },
          write: (text) => {
            if (open) controller.enqueue(encoder.encode(text));
          },
          end: (orderly) => {
            finish(() => {
              if (orderly) controller.close();
              else controller.error(new TypeError('network error'));
            });
          },
        });
        signal?.addEventListener('abort', () => {
          gone();
          finish(() => {
            controller.error(new DOMException('aborted', 'AbortError'));
          });
        });
      },
    });
    return refused ?? new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  }
}

function refusal(error: ErrorFrame): Response {
  return new Response(errorBody(error), { status: STATUS[error.code] ?? 400 });
}
