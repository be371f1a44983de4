// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import '@chattenant/design/styles.css';
import './console.css';
import './search.css';
import { Api, browserWakeSignal, ChatClient, pageTransport, systemClock } from '@chattenant/protocol';
import { render } from 'preact';
import { App } from './App';
import { Desk } from './desk';
import { takeInvitation } from './invitation';

// Before anything else: the address must not show the invitation longer than it takes to read it.
const invitation = takeInvitation(window);

const api = new Api(fetch);
const transport = pageTransport(location, api, fetch, systemClock);
const desk = new Desk({
  api,
  connect: (stillKnown) =>
    new ChatClient({
      transport,
      clock: systemClock,
      random: Math.random,
      newId: () => crypto.randomUUID(),
      wakeSignal: browserWakeSignal,
      stillKnown,
    }),
});

const root = document.getElementById('app');
if (root) render(<App desk={desk} />, root);
window.addEventListener('hashchange', () => {
  const another = takeInvitation(window);
  if (another !== undefined) desk.invite(another);
});
void desk.load(invitation);
