// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { eventually, useStage } from './stage';

const stage = useStage();

describe('who is there', () => {
  test('the visitor sees it before the first word and ever after', async () => {
    const visitor = await stage.visitor();
    await eventually(() => visitor.status.textContent(), 'Nobody is here right now');
    await visitor.root.getByText('Nobody is here right now; leave your message.').waitFor();
    await visitor.begin({ body: 'hello' });
    await visitor.root.getByText('Nobody is here right now; we will answer here when we are back.').waitFor();
    const agent = await stage.agent();
    await eventually(() => visitor.status.textContent(), 'We are here');
    await agent.choose('hello');
    await agent.say('hi');
    await eventually(() => visitor.status.textContent(), 'Ada Lovelace is here');
    await agent.page.close();
    await eventually(() => visitor.status.textContent(), 'Nobody is here right now');
    const other = await stage.visitor();
    // The page asks once, when it is loaded.
    await (await stage.agent()).status.getByText('Connected').waitFor();
    await other.root.reload();
    await eventually(() => other.status.textContent(), 'We are here');
    await other.root.getByText('We are here and answer in this window.').waitFor();
  });

  test('the agent sees it of visitors and colleagues, and nothing moves when it changes', async () => {
    stage.host.agents.add('bob@acme.example', 'Bob', 'another long password');
    const agent = await stage.agent();
    await eventually(() => agent.colleagues.textContent(), 'No colleague online');
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Mia', body: 'hello' });
    await agent.choose('Mia');
    await eventually(() => agent.visitorStatus.textContent(), 'Online');
    await eventually(() => agent.items.first().locator('.status').textContent(), 'Online');
    const places = () =>
      Promise.all([agent.items.first().locator('.name'), agent.status].map((locator) => locator.boundingBox()));
    const before = await places();
    const bob = await stage.console();
    await bob.signIn('bob@acme.example', 'another long password');
    await eventually(() => agent.colleagues.textContent(), '1 colleague online');
    await visitor.root.close();
    await eventually(() => agent.visitorStatus.textContent(), 'Offline');
    await eventually(() => agent.items.first().locator('.status').textContent(), 'Offline');
    expect(await places()).toEqual(before);
    await bob.page.close();
    await eventually(() => agent.colleagues.textContent(), 'No colleague online');
  });

  test('without a connection nobody says who is there', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Mia', body: 'hello' });
    await agent.choose('Mia');
    await eventually(() => agent.visitorStatus.textContent(), 'Online');
    await agent.page.context().setOffline(true);
    stage.host.engine.drop(1006, (self) => self?.kind === 'agent');
    await eventually(() => agent.visitorStatus.textContent(), '');
    await eventually(() => agent.colleagues.textContent(), '');
    await agent.page.context().setOffline(false);
    await eventually(() => agent.visitorStatus.textContent(), 'Online');
  });
});
