// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import '@chattenant/design/styles.css';
import './panel.css';
import { Api, browserWakeSignal, ChatClient, pageTransport, systemClock } from '@chattenant/protocol';
import { render } from 'preact';
import { App } from './App';
import { embeddingOf } from './embedding';
import { Panel } from './panel';
import { sessionTokenStore } from './token';

const embedding = embeddingOf(window);
const api = new Api(fetch);
const transport = pageTransport(location, api, fetch, systemClock);
const panel = new Panel({
  api,
  clock: systemClock,
  tokens: sessionTokenStore(() => sessionStorage),
  connect: (token) =>
    new ChatClient({
      transport,
      clock: systemClock,
      random: Math.random,
      newId: () => crypto.randomUUID(),
      wakeSignal: browserWakeSignal,
      token,
    }),
});

const root = document.getElementById('app');
if (root) render(<App panel={panel} embedding={embedding} />, root);
embedding.tell({ chattenant: 'ready' });
void panel.load();
