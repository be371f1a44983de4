// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { AGENT, eventually, useStage } from './stage';

const stage = useStage();

describe.each(['refused', 'held'] as const)('where WebSockets are %s', (fate) => {
  test('a conversation goes both ways, with all that belongs to it', async () => {
    stage.host.webSockets = fate;
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    await visitor.begin({ name: 'Mia', body: 'Does this arrive?' });
    // Two WebSockets are waited for before a stream is taken.
    await expect.poll(() => stage.host.engine.connections, { timeout: 45_000 }).toBe(2);
    await agent.choose('Mia');
    await eventually(() => agent.transcript(), ['Does this arrive?']);
    await agent.say('It does.');
    await eventually(() => visitor.transcript(), ['Does this arrive?', 'It does.']);
    await eventually(() => visitor.log.getByText('Read', { exact: true }).count(), 1);
    await agent.answer.fill('And');
    await visitor.typing.waitFor();
    expect(await visitor.typing.textContent()).toContain(AGENT.displayName);
    await eventually(() => visitor.status.textContent(), `${AGENT.displayName} is here`);
  });
});

describe('where WebSockets are refused', () => {
  test('nothing is lost or doubled when streams break and answers are lost', async () => {
    stage.host.webSockets = 'refused';
    const visitor = await stage.visitor();
    await visitor.begin({ body: 'one' });
    await visitor.lastSent.waitFor();
    let faults = 0;
    stage.host.engine.fault = (frame) => (frame.type === 'send' && faults++ < 2 ? 'cut-after-commit' : undefined);
    await visitor.say('two');
    stage.host.engine.drop();
    await visitor.say('three');
    const all = ['one', 'two', 'three'];
    await eventually(() => visitor.transcript(), all);
    await eventually(() => stage.host.engine.conversations[0]?.events.map(({ body }) => body), all);
    expect(faults).toBeGreaterThan(1);
  });

  test('an agent who was signed out elsewhere is asked to sign in', async () => {
    stage.host.webSockets = 'refused';
    const agent = await stage.agent();
    await eventually(() => stage.host.engine.connections, 1);
    const self = stage.host.agents.check(AGENT.email, AGENT.password);
    if (self) stage.host.signOut(self);
    await agent.signInButton.waitFor();
  });
});
