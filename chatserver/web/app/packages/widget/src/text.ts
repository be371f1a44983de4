// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ApiError } from '@chattenant/protocol';

/** What the panel says, in one place for translators. */
export const text = {
  loading: 'Loading…',
  resuming: 'Resuming your chat…',
  unavailable: 'The chat cannot be reached right now. Please check your connection.',
  retry: 'Try again',
  close: 'Close chat',
  weAreHere: 'We are here',
  isHere: (name: string) => `${name} is here`,
  nobodyHere: 'Nobody is here right now',
  question: 'How can we help?',
  writeToUs: 'We are here and answer in this window.',
  leaveMessage: 'Nobody is here right now; leave your message.',
  keptIn: (region: string, country: string) => `Your messages are encrypted and kept in ${region}, ${country}.`,
  keptBriefly: (region: string, country: string) => `Kept in ${region}, ${country}`,
  policy: 'Privacy policy',
  newTab: '(opens in a new tab)',
  name: 'Name',
  email: 'E-mail',
  optional: '(optional)',
  message: 'Your message',
  messageMissing: 'Please write a message first.',
  emailWrong: 'This does not look like an e-mail address. You may also leave it empty.',
  tooLong: 'This is too long.',
  start: 'Start chat',
  starting: 'Starting…',
  ended: 'Your previous chat has ended. You can start a new one.',
  over: 'This chat can no longer be continued.',
  startOver: 'Start a new chat',
  refused: 'This chat could not be started.',
  log: 'Conversation',
  greeting: 'Thank you. We will answer here; you can leave this window open.',
  greetingAway: 'Thank you. Nobody is here right now; we will answer here when we are back.',
  problem: ({ code, retryAfterMs }: ApiError) => {
    if (code === 'rate_limited') return `Too many chats at once. Please try again in ${seconds(retryAfterMs)}.`;
    if (code === 'unreachable') return 'The chat cannot be reached right now. Your message is still here.';
    return 'The chat could not be started. Your message is still here, please try again.';
  },
} as const;

function seconds(ms: number): string {
  const count = Math.max(1, Math.ceil(ms / 1000));
  return count === 1 ? 'a second' : `${count} seconds`;
}
