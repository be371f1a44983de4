// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { errorIn, REQUEST_TIMEOUT_MS } from './api';
import { Alarm, type Clock } from './clock';
import type { ErrorFrame } from './frames';
import { ABNORMAL_CLOSE, RETRYABLE, type Connection, type Transport, type TransportEvents } from './transport';

/** The most frames of one request. */
export const MAX_BATCH = 16;
/** The most UTF-16 units of one request's frames: each takes at most three of the server's 64 KiB. */
const MAX_BATCH_UNITS = 20_000;

/** Event streams and requests beside them, for networks that let no WebSocket pass. */
export function streamTransport(fetchLike: typeof fetch, clock: Clock): Transport {
  return (events) => new Stream(events, fetchLike, clock);
}

class Stream implements Connection {
  readonly #events: TransportEvents;
  readonly #fetch: typeof fetch;
  readonly #hung = new AbortController();
  readonly #overdue: Alarm;
  readonly #waiting: string[] = [];
  #hello: string | undefined;
  #posting = false;

  constructor(events: TransportEvents, fetchLike: typeof fetch, clock: Clock) {
    this.#events = events;
    this.#fetch = fetchLike;
    this.#overdue = new Alarm(clock);
    // Whoever starts a connection has it in hand first.
    queueMicrotask(() => {
      if (!this.#over) events.opened();
    });
  }

  /** The first is `hello`, which opens the stream. */
  send(text: string): void {
    if (this.#hello === undefined) {
      this.#hello = text;
      void this.#listen(text);
      return;
    }
    this.#waiting.push(text);
    if (!this.#posting) void this.#post();
  }

  close(): void {
    this.#overdue.clear();
    this.#hung.abort();
  }

  get #over(): boolean {
    return this.#hung.signal.aborted;
  }

  #end(): void {
    if (this.#over) return;
    this.close();
    this.#events.closed(ABNORMAL_CLOSE);
  }

  async #listen(hello: string): Promise<void> {
    try {
      const response = await this.#request('stream', hello);
      if (response.ok && response.body) await this.#read(response.body.getReader());
      else this.#refused(await response.text(), []);
    } catch {
      // A stream that breaks off has ended like any other.
    }
    this.#end();
  }

  async #read(chunks: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for (;;) {
      const { done, value } = await chunks.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data:')) this.#say('received', line.slice(5));
    }
  }

  #say(how: 'received' | 'answered', text: string): void {
    if (!this.#over) this.#events[how](text);
  }

  /** One request at a time, so that nothing overtakes anything. */
  async #post(): Promise<void> {
    this.#posting = true;
    while (this.#waiting.length > 0 && !this.#over) await this.#postBatch(this.#take());
    this.#posting = false;
  }

  async #postBatch(batch: readonly string[]): Promise<void> {
    this.#overdue.set(REQUEST_TIMEOUT_MS, () => {
      this.#end();
    });
    try {
      const response = await this.#request('frames', `{"frames":[${batch.join()}]}`);
      const text = await response.text();
      if (!response.ok) this.#refused(text, batch);
      else for (const frame of framesIn(text)) this.#say('answered', JSON.stringify(frame));
      this.#overdue.clear();
    } catch {
      // Whether the server has it is not known: another connection says it again, under the same client id.
      this.#end();
    }
  }

  #take(): string[] {
    let count = 0;
    let units = 0;
    for (const { length } of this.#waiting.slice(0, MAX_BATCH)) {
      units += length;
      if (count > 0 && units > MAX_BATCH_UNITS) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Says what a WebSocket would have said: of each frame if it may yet succeed, else of the connection. */
  #refused(text: string, batch: readonly string[]): void {
    const error = errorIn(text);
    const frame: ErrorFrame | undefined = error && { type: 'error', ...error };
    if (frame && RETRYABLE.has(frame.code) && batch.length > 0) {
      for (const { clientId } of batch.map((sent) => JSON.parse(sent) as { clientId?: string })) {
        if (clientId !== undefined) this.#say('answered', JSON.stringify({ ...frame, clientId }));
      }
      return;
    }
    if (frame) this.#say('answered', JSON.stringify(frame));
    this.#end();
  }

  #request(path: string, body: string): Promise<Response> {
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    const { token } = JSON.parse(this.#hello ?? '') as { token?: string };
    if (token !== undefined && path === 'frames') headers['Authorization'] = `Bearer ${token}`;
    const init = { method: 'POST', cache: 'no-store', signal: this.#hung.signal, headers, body } as const;
    return this.#fetch.call(globalThis, `/api/v1/${path}`, init);
  }
}

function framesIn(text: string): readonly unknown[] {
  const { frames } = JSON.parse(text) as { frames?: unknown };
  if (!Array.isArray(frames)) throw new TypeError('the answer has no frames');
  return frames;
}
