// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { SUBPROTOCOL, type ErrorCode } from './frames';

/** What a connection tells its owner. After `closed` it says nothing more. */
export interface TransportEvents {
  opened(): void;
  received(text: string): void;
  /** A frame that came beside the connection: it does not show that the connection lives. */
  answered(text: string): void;
  closed(code: number): void;
}

/** A connection that exists or is being made. */
export interface Connection {
  send(text: string): void;
  close(): void;
}

/** Starts one connection to the chat server. */
export type Transport = (events: TransportEvents) => Connection;

/** Refusals that may pass. */
export const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['rate_limited', 'unavailable', 'internal']);

/** The close code browsers report when they cannot say more. */
export const ABNORMAL_CLOSE = 1006;

/** WebSockets to the chat server that served this page. */
export function webSocketTransport(page: { readonly protocol: string; readonly host: string }): Transport {
  const url = `${page.protocol === 'http:' ? 'ws:' : 'wss:'}//${page.host}/api/v1/ws`;
  return (events) => {
    const socket = new WebSocket(url, SUBPROTOCOL);
    socket.onopen = () => {
      events.opened();
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      // Version 1 has text frames only; an empty string is refused by the decoder like any other nonsense.
      events.received(typeof data === 'string' ? data : '');
    };
    socket.onclose = ({ code }) => {
      events.closed(code);
    };
    return {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => {
        socket.close();
      },
    };
  };
}
