// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

export { Api, ApiError, type AgentSession, type Info, type VisitorSession } from './api';
export { autoTransport, FIRST_FRAME_MS, pageTransport, STREAMS_FOR_MS, type Ways } from './auto';
export { backoff, FIRST_DELAY_MS, LONGEST_DELAY_MS } from './backoff';
export { characters, normaliseBody } from './body';
export { ChatClient, type ClientDeps, type ConversationView, type OpeningView, type Snapshot } from './client';
export { Alarm, systemClock, type Cancel, type Clock } from './clock';
export { decodeServerFrame, MalformedFrame } from './decode';
export * from './frames';
export { GAP_AFTER_MS } from './gaps';
export * from './limits';
export { PROBE_TIMEOUT_MS, SILENCE_MS, STABLE_AFTER_MS, WELCOME_TIMEOUT_MS, type LinkState } from './link';
export { RECEIPT_DELAY_MS, TYPING_HOLDS_MS, TYPING_REPEAT_MS, type Others } from './signals';
export type { SearchAnswer, SearchHit, SearchRequest } from './search';
export { MAX_CURSORS } from './transcript';
export {
  ANSWER_TIMEOUT_MS,
  type Change,
  type Failure,
  type PendingMessage,
  type PendingOpening,
  type Target,
} from './outbox';
export { MAX_BATCH, streamTransport } from './stream';
export { ABNORMAL_CLOSE, webSocketTransport, type Connection, type Transport, type TransportEvents } from './transport';
export { browserWakeSignal, type WakeSignal } from './wake';
