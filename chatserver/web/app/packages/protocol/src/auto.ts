// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Api } from './api';
import { Alarm, type Clock } from './clock';
import { streamTransport } from './stream';
import { ABNORMAL_CLOSE, webSocketTransport, type Connection, type Transport, type TransportEvents } from './transport';

/** How many WebSockets in a row must bring no frame before a stream is tried. */
const BLOCKED_AFTER = 2;
/** How long a WebSocket has to bring its first frame. */
export const FIRST_FRAME_MS = 10_000;
/** How long streams are preferred once one worked where WebSockets did not. */
export const STREAMS_FOR_MS = 30 * 60_000;

export interface Ways {
  readonly socket: Transport;
  readonly stream: Transport;
  readonly clock: Clock;
  /** Whether the server answers requests: then it is the WebSocket that is blocked. */
  readonly answers: () => Promise<boolean>;
}

/** WebSockets, and streams where those are blocked. What was found out is remembered as long as the transport is. */
export function autoTransport(ways: Ways): Transport {
  const choice = new Choice(ways);
  return (events) => choice.connect(events);
}

/** The transport of a page that the chat server itself serves. */
export function pageTransport(page: Location, api: Api, fetchLike: typeof fetch, clock: Clock): Transport {
  const answers = () =>
    api.info().then(
      () => true,
      () => false,
    );
  return autoTransport({ socket: webSocketTransport(page), stream: streamTransport(fetchLike, clock), clock, answers });
}

class Choice {
  readonly #ways: Ways;
  #failures = 0;
  #streamsUntil = 0;

  constructor(ways: Ways) {
    this.#ways = ways;
  }

  connect(events: TransportEvents): Connection {
    const { clock, socket, stream } = this.#ways;
    const streaming = this.#preferStreams || this.#failures >= BLOCKED_AFTER;
    const patience = new Alarm(clock);
    let open = true;
    const settle = (learn: () => void) => {
      patience.clear();
      if (open) learn();
      open = false;
    };
    const closed = (code: number) => {
      settle(() => {
        this.#failed(streaming);
      });
      events.closed(code);
    };
    const connection = (streaming ? stream : socket)({
      ...events,
      received: (text) => {
        settle(() => {
          this.#worked(streaming);
        });
        events.received(text);
      },
      closed,
    });
    if (!streaming) {
      patience.set(FIRST_FRAME_MS, () => {
        connection.close();
        closed(ABNORMAL_CLOSE);
      });
    }
    return {
      send: (text) => {
        connection.send(text);
      },
      close: () => {
        // A stream that is given up brought nothing; a WebSocket that is given up this soon says nothing.
        settle(() => {
          if (streaming) this.#failed(true);
        });
        connection.close();
      },
    };
  }

  get #preferStreams(): boolean {
    return this.#ways.clock.now() < this.#streamsUntil;
  }

  #worked(streaming: boolean): void {
    if (!streaming) {
      this.#failures = 0;
    } else if (!this.#preferStreams) {
      this.#streamsUntil = this.#ways.clock.now() + STREAMS_FOR_MS;
      // The next WebSocket has a single try.
      this.#failures = BLOCKED_AFTER - 1;
    }
  }

  #failed(streaming: boolean): void {
    if (this.#preferStreams) return;
    if (streaming) {
      this.#failures = 0;
      return;
    }
    void this.#ways.answers().then((yes) => {
      this.#failures = yes ? this.#failures + 1 : 0;
    });
  }
}
