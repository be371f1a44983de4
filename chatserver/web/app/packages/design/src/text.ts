// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** What the shared components say, in one place for translators. */
export const text = {
  today: 'Today',
  you: 'You',
  sent: 'Sent',
  delivered: 'Delivered',
  read: 'Read',
  sending: 'Sending…',
  queued: 'Waiting to be sent',
  failed: 'Not sent',
  edited: 'edited',
  deleted: 'This message was deleted',
  retry: 'Try again',
  discard: 'Remove',
  typing: (names: string) => `${names} is typing…`,
  newMessages: 'To the newest message',
  send: 'Send',
  charactersLeft: (count: number) => `${count} characters left`,
  charactersOver: (count: number) => `${count} characters too many`,
  online: 'Connected',
  connecting: 'Connecting…',
  waiting: 'Connection lost, reconnecting…',
  offline: 'Not connected',
} as const;
