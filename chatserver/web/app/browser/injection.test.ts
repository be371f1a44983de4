// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { eventually, useStage } from './stage';

const stage = useStage();

/* eslint-disable no-script-url -- scripts in addresses are among the payloads */

const PAYLOADS = [
  '<img src=x onerror="window.pwned=1">',
  '<script>window.pwned=1</script>',
  '"><svg onload=window.pwned=1>',
  "javascript:window.pwned=1//'",
  '<a href="javascript:window.pwned=1">click</a>',
  '&lt;b&gt;not bold&lt;/b&gt;',
  '<iframe srcdoc="<script>parent.pwned=1</script>">',
  '{{constructor.constructor("window.pwned=1")()}}',
];

describe('what people write', () => {
  test('is text and nothing else, as a name, an e-mail address and a message, on both sides', async () => {
    const agent = await stage.agent();
    const visitor = await stage.visitor();
    const [name = ''] = PAYLOADS;
    const email = '"<svg/onload=window.pwned=1>"@x.example';
    await visitor.begin({ name, email: email.replaceAll(' ', ''), body: name });
    for (const payload of PAYLOADS.slice(1)) await visitor.say(payload);
    await agent.choose(name);
    for (const payload of PAYLOADS) await agent.say(payload);
    const all = [...PAYLOADS, ...PAYLOADS];
    await eventually(() => agent.transcript(), all);
    await eventually(() => visitor.transcript(), all);
    expect(await agent.conversation.getByRole('heading').textContent()).toBe(name);
    expect(await agent.conversation.textContent()).toContain(email);
    for (const page of [agent.page, visitor.root]) {
      expect(await page.evaluate(() => 'pwned' in window)).toBe(false);
      const alive = '#app :is(img, iframe, script, a[href^="javascript"], [onload], [onerror])';
      expect(await page.locator(alive).count()).toBe(0);
    }
  });

  test('a privacy policy address that is a script becomes no link', async () => {
    const page = await stage.person();
    await page.route('**/api/v1/info', (route) =>
      route.fulfill({
        json: {
          protocol: 1,
          displayName: '<b>Acme</b>',
          policyURL: 'javascript:window.pwned=1',
          region: { name: 'x', displayName: '<i>here</i>', jurisdiction: '<u>' },
        },
      }),
    );
    await page.goto(`${stage.host.origin}/widget/`);
    await page.getByRole('heading', { name: '<b>Acme</b>' }).waitFor();
    expect(await page.getByRole('link').count()).toBe(0);
    expect(await page.locator('.notice').textContent()).toContain('<i>here</i>, <u>');
  });

  test('the watch over the policy would notice: a page that breaks it is a problem', async () => {
    const page = await stage.person();
    await page.goto(`${stage.host.origin}/widget/`);
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.src = 'https://stranger.localhost/evil.js';
      document.head.append(script);
    }).catch(() => undefined);
    await eventually(() => stage.problems.found.length > 0, true);
    stage.problems.found = [];
  });
});
