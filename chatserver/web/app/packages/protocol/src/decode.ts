// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { ERROR_CODES, type ServerFrame } from './frames';

/** The peer sent something that is no frame of this protocol. The message never quotes it: it is personal data. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame';
}

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTruth: Check = (value) => typeof value === 'boolean';
const isString: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const shaped =
  (shape: Shape): Check =>
  (value) =>
    isRecord(value) && Object.entries(shape).every(([field, check]) => check(value[field]));

const isCode: Check = (value) => ERROR_CODES.some((code) => code === value);
const isHeads: Check = (value) => isRecord(value) && Object.values(value).every(isCount);
const isContact = shaped({
  name: optional(isString),
  email: optional(isString),
  phone: optional(isString),
  externalId: optional(isString),
});
const isKind: Check = (value) => value === 'visitor' || value === 'agent';
const isReference = shaped({ kind: isKind, id: isString });
const isParticipant = shaped({ kind: isKind, id: isString, displayName: optional(isString) });
const isAttendance = shaped({ conversation: optional(isString), kind: isKind, id: isString, online: isTruth });
const isPeople: Check = (value) => Array.isArray(value) && value.every(isAttendance);
const place: Shape = { conversation: isString, epoch: isCount, seq: isCount };

const shapes: Readonly<Record<ServerFrame['type'], Shape>> = {
  welcome: { protocol: isCount, self: isParticipant, epoch: isCount, heartbeatSeconds: isCount },
  conversation: { conversation: isString, openedAt: isString, head: isCount, contact: optional(isContact) },
  event: {
    ...place,
    id: isString,
    kind: isString,
    author: isParticipant,
    clientId: isString,
    target: optional(isString),
    body: isString,
    erased: optional(isTruth),
    at: isString,
  },
  caught_up: place,
  reset: { conversation: isString, epoch: isCount },
  opened: { clientId: isString, conversation: isString, openedAt: isString },
  ack: { ...place, clientId: isString, id: isString, at: isString },
  typing: { conversation: isString, author: isReference, typing: isTruth },
  receipt: { conversation: isString, reader: isReference, delivered: isCount, read: isCount },
  presence: { available: optional(isTruth), people: optional(isPeople) },
  heartbeat: { heads: isHeads },
  drain: { reconnectAfterMs: isCount },
  error: { code: isCode, message: isString, clientId: optional(isString), retryAfterMs: optional(isCount) },
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedFrame('a frame is not JSON');
  }
}

/**
 * Reads one frame of the server. Unknown fields are left alone and unknown types give undefined, so that version 1 can
 * grow; a known type with a wrong field throws {@link MalformedFrame}.
 */
export function decodeServerFrame(text: string): ServerFrame | undefined {
  const value = parse(text);
  if (!isRecord(value) || typeof value['type'] !== 'string') throw new MalformedFrame('a frame has no type');
  const type = value['type'];
  if (!Object.hasOwn(shapes, type)) return undefined;
  const shape = shapes[type as ServerFrame['type']];
  for (const [field, check] of Object.entries(shape)) {
    if (!check(value[field])) throw new MalformedFrame(`${type}.${field} is missing or of the wrong kind`);
  }
  return value as unknown as ServerFrame;
}
