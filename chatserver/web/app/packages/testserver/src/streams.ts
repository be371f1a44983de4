// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientFrame, ErrorFrame, Participant, ServerFrame } from '@chattenant/protocol';
import type { Engine } from './engine';

/** Where an event stream goes. */
export interface StreamPeer {
  /** Before anything else: the stream is not to be. */
  refuse(error: ErrorFrame): void;
  write(text: string): void;
  /** In order, or as if something broke. */
  end(orderly: boolean): void;
}

/** Opens an event stream with a `hello`. Answers with what is to be told when the client is gone. */
export function openStream(
  engine: Engine,
  hello: string,
  agent: Participant | undefined,
  peer: StreamPeer,
): () => void {
  let begun = false;
  let refused = false;
  const send = (frame: ServerFrame) => {
    if (refused) return;
    if (!begun && frame.type === 'error') {
      refused = true;
      peer.refuse(frame);
      return;
    }
    if (!begun) peer.write(`:${' '.repeat(2048)}\n\n`);
    begun = true;
    peer.write(`data: ${JSON.stringify(frame)}\n\n`);
  };
  const close = (code: number) => {
    if (!refused) peer.end(code !== 1006);
  };
  const session = engine.connect({ send, close }, agent);
  session.receive(hello);
  return () => {
    session.closed();
  };
}

/** Handles the frames of a request. Undefined when the connection is to break instead of an answer. */
export function answerFrames(engine: Engine, self: Participant, body: string): string | undefined {
  const { frames } = JSON.parse(body) as { frames: readonly ClientFrame[] };
  const answers = engine.post(self, frames);
  return answers && JSON.stringify({ frames: answers });
}

/** The error of a request, as the chat server answers it. */
export function errorBody({ code, message, retryAfterMs = 0 }: ErrorFrame): string {
  return JSON.stringify({ error: { code, message, retryAfterMs } });
}
