// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { CustomerSite, sitePage, sitePolicy } from './pages/site.mjs';
import { SITE, STRANGER } from './setup';
import { eventually, useStage } from './stage';

const stage = useStage();

beforeEach(() => {
  const { origin } = stage.host;
  for (const name of [SITE, STRANGER]) {
    stage.host.sites.set(name, { html: sitePage(origin), policy: sitePolicy(origin) });
  }
});

/** A visitor on the site, and every request their browser makes. */
async function arrive(page: Page, name = SITE): Promise<{ site: CustomerSite; requests: string[] }> {
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  const site = new CustomerSite(page);
  await page.goto(`${stage.host.originOf(name)}/`);
  await site.button.waitFor();
  return { site, requests };
}

/** Everything the visit left behind: cookies and storage of every origin and frame. */
async function traces(page: Page): Promise<string[]> {
  const { cookies, origins } = await page.context().storageState({ indexedDB: true });
  const found = [...cookies.map(({ name }) => name), ...origins.map(({ origin }) => origin)];
  for (const frame of page.frames()) found.push(...(await frame.evaluate(storedKeys)));
  return found;
}

/** Runs in a frame. A browser that denies storage to third parties has stored nothing. */
async function storedKeys(): Promise<string[]> {
  try {
    return [...Object.keys(sessionStorage), ...(await caches.keys())];
  } catch {
    return [];
  }
}

describe('before the click', () => {
  test('nothing is requested but the script itself, and nothing is stored', async () => {
    const page = await stage.person();
    const { site, requests } = await arrive(page);
    await site.button.hover();
    await page.keyboard.press('Tab');
    await page.waitForTimeout(300);
    const scripts = requests.filter((url) => url.startsWith(stage.host.origin));
    expect(scripts).toEqual([`${stage.host.origin}/widget.js`]);
    expect(requests.filter((url) => !url.includes('favicon'))).toHaveLength(2);
    expect(await traces(page)).toEqual([]);
    expect(await site.frame.count()).toBe(0);
  });

  test('the button has its look under a policy that allows no style', async () => {
    const { site } = await arrive(await stage.person());
    const look = await site.button.evaluate((element) => {
      const { position, backgroundColor } = getComputedStyle(element);
      return { position, backgroundColor };
    });
    expect(look).toEqual({ position: 'fixed', backgroundColor: 'rgb(11, 100, 119)' });
  });

  test('a script that is included twice draws one button, with the label and side it was given', async () => {
    const tag = `<script src="${stage.host.origin}/widget.js" data-label="Chatten" data-side="start"></script>`;
    stage.host.sites.set(SITE, { html: `<!doctype html><body>${tag}${tag}`, policy: sitePolicy(stage.host.origin) });
    const page = await stage.person();
    await page.goto(`${stage.host.originOf(SITE)}/`);
    const button = page.getByRole('button', { name: 'Chatten' });
    await button.waitFor();
    expect(await button.count()).toBe(1);
    expect((await button.boundingBox())?.x).toBe(16);
  });
});

describe('the embedded panel', () => {
  test('talks to the tenant only, and stores nothing but the resume token of a chat that exists', async () => {
    const page = await stage.person();
    const { site, requests } = await arrive(page);
    await site.openPanel();
    expect(await traces(page)).toEqual([]);
    await site.panel.begin({ body: 'hello' });
    await site.panel.lastSent.waitFor();
    // None at all where the browser denies storage to embedded pages.
    expect(['chattenant.token']).toEqual(expect.arrayContaining(await traces(page)));
    const origins = new Set(requests.map((url) => new URL(url).host));
    expect([...origins]).toEqual([new URL(stage.host.originOf(SITE)).host, new URL(stage.host.origin).host]);
    expect(requests.filter((url) => /token|hello/.test(url.replace('widget.js', '')))).toEqual([]);
  });

  test('cannot be framed by a site that is not allowed to, and says where to go instead', async () => {
    const page = await stage.person();
    await page.clock.install();
    const { site } = await arrive(page, STRANGER);
    await site.button.click();
    await eventually(() => stage.problems.found.filter((text) => text.includes('frame-ancestors')).length, 1);
    stage.problems.found = [];
    await page.clock.fastForward(16_000);
    await page.getByText('The chat cannot be shown here.').waitFor();
    const link = page.getByRole('link', { name: 'Open it in a new tab' });
    expect(await link.getAttribute('href')).toBe(`${stage.host.origin}/widget/`);
    expect(stage.host.engine.connections).toBe(0);
  });

  test('the console cannot be framed at all', async () => {
    const { origin } = stage.host;
    const html = `<!doctype html><iframe src="${origin}/console/"></iframe>`;
    stage.host.sites.set(SITE, { html, policy: `frame-src ${origin}` });
    const page = await stage.person();
    await page.goto(`${stage.host.originOf(SITE)}/`);
    await eventually(() => stage.problems.found.filter((text) => text.includes('frame-ancestors')).length, 1);
    stage.problems.found = [];
  });

  test('works from the keyboard alone: open, write, close, and the focus is back on the button', async () => {
    const page = await stage.person();
    const { site } = await arrive(page);
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('Tab', 'Tab');
    expect(await site.button.evaluate((element) => element.matches(':focus-visible'))).toBe(true);
    await press('Enter');
    await eventually(() => site.panel.question.evaluate((element) => element === document.activeElement), true);
    expect(await site.button.getAttribute('aria-expanded')).toBe('true');
    await press('Tab', 'Tab', 'Tab', 'Tab');
    await page.keyboard.type('by keyboard');
    await press('Tab', 'Enter');
    await eventually(() => site.panel.message.evaluate((element) => element === document.activeElement), true);
    await page.keyboard.type('second line');
    await press('Shift+Enter');
    await page.keyboard.type('third line');
    await press('Enter');
    await eventually(() => site.panel.transcript(), ['by keyboard', 'second line\nthird line']);
    await press('Escape');
    await site.frame.waitFor({ state: 'hidden' });
    expect(await site.button.evaluate((element) => element.matches(':focus'))).toBe(true);
    expect(await site.button.getAttribute('aria-expanded')).toBe('false');
    await press('Enter');
    await eventually(() => site.panel.message.evaluate((element) => element === document.activeElement), true);
  });

  test('goes on while it is closed, and the button counts what came', async () => {
    const agent = await stage.agent();
    const page = await stage.person();
    const { site } = await arrive(page);
    await site.openPanel();
    await site.panel.begin({ body: 'hello' });
    await site.panel.close.click();
    await agent.choose('hello');
    await agent.say('one');
    await agent.say('two');
    await page.getByRole('button', { name: 'Chat with us, 2 unread' }).click();
    await eventually(() => site.panel.transcript(), ['hello', 'one', 'two']);
    await eventually(() => site.button.getAttribute('aria-label'), 'Chat with us');
  });

  test('fills a phone, and closes when the focus leaves it', async () => {
    const page = await stage.person({ viewport: { width: 360, height: 640 }, hasTouch: true });
    const { site } = await arrive(page);
    await site.openPanel();
    expect(await site.frame.boundingBox()).toEqual({ x: 0, y: 0, width: 360, height: 640 });
    await eventually(() => site.panel.question.evaluate((element) => element === document.activeElement), true);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    await site.frame.waitFor({ state: 'hidden' });
  });

  test('messages of other windows are not obeyed', async () => {
    const page = await stage.person();
    const { site } = await arrive(page);
    await site.openPanel();
    await page.evaluate(() => {
      window.postMessage({ chattenant: 'close' }, '*');
      window.postMessage({ chattenant: 'unread', count: 99 }, '*');
      window.postMessage(null, '*');
    });
    await page.waitForTimeout(200);
    expect(await site.frame.isVisible()).toBe(true);
    expect(await site.button.getAttribute('aria-label')).not.toContain('99');
  });
});
