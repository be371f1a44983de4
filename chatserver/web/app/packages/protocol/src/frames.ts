// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** The version of the chat protocol spoken here; see docs/protocol.md, the contract with the server. */
export const PROTOCOL_VERSION = 1;

/** The WebSocket subprotocol asked for in the handshake. */
export const SUBPROTOCOL = 'chattenant.v1';

/** The last event a client has of one conversation. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

/** What a visitor chose to say about themselves; every part is voluntary. */
export interface Contact {
  readonly name?: string;
  readonly email?: string;
  readonly phone?: string;
  /** What the customer's own systems call the visitor. */
  readonly externalId?: string;
}

export interface Participant {
  readonly kind: 'visitor' | 'agent';
  readonly id: string;
  readonly displayName?: string;
}

/** Who somebody is, without a name. */
export type Reference = Pick<Participant, 'kind' | 'id'>;

export const ERROR_CODES = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'too_large',
  'rate_limited',
  'unavailable',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface HelloFrame {
  readonly type: 'hello';
  readonly protocol: typeof PROTOCOL_VERSION;
  /** Visitors only; agents are known by their cookie. */
  readonly token?: string;
  readonly cursors: Readonly<Record<string, Cursor>>;
}

export interface OpenFrame {
  readonly type: 'open';
  readonly clientId: string;
  readonly contact?: Contact;
}

export interface SendFrame {
  readonly type: 'send';
  readonly conversation: string;
  readonly clientId: string;
  readonly body: string;
}

/** Gives a message of one's own another text. */
export interface EditFrame {
  readonly type: 'edit';
  readonly conversation: string;
  readonly clientId: string;
  /** The id of the message. */
  readonly target: string;
  readonly body: string;
}

/** Takes a message of one's own away. */
export interface DeleteFrame {
  readonly type: 'delete';
  readonly conversation: string;
  readonly clientId: string;
  readonly target: string;
}

export interface PingFrame {
  readonly type: 'ping';
}

/** The user began or stopped writing. */
export interface TypingFrame {
  readonly type: 'typing';
  readonly conversation: string;
  readonly typing: boolean;
}

/** How far everything has arrived here, and how far the user has read. */
export interface ReceiptFrame {
  readonly type: 'receipt';
  readonly conversation: string;
  readonly delivered: number;
  readonly read: number;
}

/** What adds an entry to a conversation. */
export type SubmissionFrame = SendFrame | EditFrame | DeleteFrame;

export type ClientFrame = HelloFrame | OpenFrame | SubmissionFrame | PingFrame | TypingFrame | ReceiptFrame;

export interface WelcomeFrame {
  readonly type: 'welcome';
  readonly protocol: number;
  readonly self: Participant;
  readonly epoch: number;
  readonly heartbeatSeconds: number;
}

export interface ConversationFrame {
  readonly type: 'conversation';
  readonly conversation: string;
  readonly openedAt: string;
  readonly head: number;
  /** Agents only. */
  readonly contact?: Contact;
}

export interface EventFrame {
  readonly type: 'event';
  readonly conversation: string;
  readonly epoch: number;
  readonly seq: number;
  readonly id: string;
  /** `message`, `edit` or `deletion`; others keep their place in the order and are not shown. */
  readonly kind: string;
  readonly author: Participant;
  readonly clientId: string;
  /** The id of the message that an edit or a deletion is about. */
  readonly target?: string;
  readonly body: string;
  /** A deletion that follows took the text away. */
  readonly erased?: boolean;
  readonly at: string;
}

export interface CaughtUpFrame {
  readonly type: 'caught_up';
  readonly conversation: string;
  readonly epoch: number;
  readonly seq: number;
}

export interface ResetFrame {
  readonly type: 'reset';
  readonly conversation: string;
  readonly epoch: number;
}

export interface OpenedFrame {
  readonly type: 'opened';
  readonly clientId: string;
  readonly conversation: string;
  readonly openedAt: string;
}

export interface AckFrame {
  readonly type: 'ack';
  readonly clientId: string;
  readonly conversation: string;
  readonly epoch: number;
  readonly seq: number;
  readonly id: string;
  readonly at: string;
}

/** Somebody else began or stopped writing. */
export interface TypingNotice extends TypingFrame {
  readonly author: Reference;
}

/** How far somebody has received and read. */
export interface ReceiptNotice extends ReceiptFrame {
  readonly reader: Reference;
}

/** Whether somebody is there: in a conversation they take part in, or, of agents to agents, at all. */
export interface Attendance extends Reference {
  readonly conversation?: string;
  readonly online: boolean;
}

/** Who is there: what is current when a connection begins, then what changes. */
export interface PresenceFrame {
  readonly type: 'presence';
  /** Visitors only: whether any agent is. Left out if nothing about it changed. */
  readonly available?: boolean;
  readonly people?: readonly Attendance[];
}

export interface HeartbeatFrame {
  readonly type: 'heartbeat';
  readonly heads: Readonly<Record<string, number>>;
}

export interface DrainFrame {
  readonly type: 'drain';
  readonly reconnectAfterMs: number;
}

export interface ErrorFrame {
  readonly type: 'error';
  readonly code: ErrorCode;
  readonly message: string;
  readonly clientId?: string;
  readonly retryAfterMs?: number;
}

export type ServerFrame =
  | WelcomeFrame
  | ConversationFrame
  | EventFrame
  | CaughtUpFrame
  | ResetFrame
  | OpenedFrame
  | AckFrame
  | TypingNotice
  | ReceiptNotice
  | PresenceFrame
  | HeartbeatFrame
  | DrainFrame
  | ErrorFrame;
