// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { ApiError } from '@chattenant/protocol';

/** What the console says, in one place for translators. */
export const text = {
  console: 'Console',
  loading: 'Loading…',
  unavailable: 'The chat server cannot be reached right now.',
  retry: 'Try again',
  signIn: 'Sign in',
  signingIn: 'Signing in…',
  signOut: 'Sign out',
  sessionEnded: 'Your session has ended. Sign in again to go on where you were.',
  welcome: 'Welcome',
  invited: 'You were invited to answer chats. Choose a password to set up your account.',
  create: 'Set up account',
  creating: 'Setting up…',
  haveAccount: 'I already have an account',
  email: 'E-mail',
  password: 'Password',
  newPassword: 'New password',
  passwordRule: 'at least 12 characters',
  showPassword: 'Show password',
  missing: 'Please fill this in.',
  passwordShort: 'Please choose at least 12 characters.',
  signInProblem: (error: ApiError) =>
    error.code === 'unauthenticated' ? 'E-mail or password is wrong.' : problem(error),
  invitationProblem: (error: ApiError) =>
    ['unauthenticated', 'not_found', 'forbidden', 'invalid_request'].includes(error.code)
      ? 'This invitation is no longer valid. Please ask for a new one.'
      : problem(error),
  signOutProblem: 'Signing out failed. Please try again.',
  skip: 'Skip to the conversation',
  conversations: 'Conversations',
  conversation: 'Conversation',
  visitorOnline: 'Online',
  visitorOffline: 'Offline',
  colleagues: (count: number) => {
    if (count === 0) return 'No colleague online';
    return count === 1 ? '1 colleague online' : `${count} colleagues online`;
  },
  none: 'No conversations yet. New ones appear here by themselves.',
  choose: 'Choose a conversation on the left.',
  back: 'Back to all conversations',
  noMessages: 'No messages yet',
  deleted: 'Message deleted',
  preview: (own: boolean, body: string) => (own ? `You: ${body}` : body),
  unread: (count: number) => `${count} unread`,
  newMessage: (title: string) => `New message from ${title}`,
  opened: (when: string) => `Opened ${when}`,
  noContact: 'No contact details given',
  customerNumber: (id: string) => `Customer number ${id}`,
  log: (title: string) => `Conversation with ${title}`,
  answer: 'Your answer',
  anAgent: 'A colleague',
  search: 'Search',
  searchIn: 'Search in',
  searchFields: { text: 'Messages', email: 'E-mail', phone: 'Phone', externalId: 'Customer number' },
  searchFor: 'Search for',
  searchResults: 'Search results',
  closeSearch: 'Close search',
  searching: 'Searching…',
  found: (count: number, more: boolean) => {
    if (count === 0) return more ? 'Nothing found yet. There are older messages.' : 'Nothing found.';
    return `${count} found${more ? ', there may be more' : ''}.`;
  },
  moreResults: 'Look further back',
  searchProblem: (error: ApiError) =>
    error.code === 'invalid_request'
      ? 'Please enter at least one whole word, a complete address or a complete number.'
      : problem(error),
} as const;

function problem({ code, retryAfterMs }: ApiError): string {
  if (code === 'rate_limited') {
    return `Too many attempts. Please try again in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} seconds.`;
  }
  if (code === 'unreachable') return text.unavailable;
  return 'This did not work. Please try again.';
}
