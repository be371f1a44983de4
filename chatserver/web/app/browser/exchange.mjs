// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto';
import { AgentConsole } from './pages/agent.mjs';
import { CustomerSite, sitePage, sitePolicy } from './pages/site.mjs';
import { VisitorPanel } from './pages/visitor.mjs';
import { Problems } from './problems.mjs';

/**
 * @typedef {object} ExchangeOptions
 * @property {import('playwright-core').Browser} browser
 * @property {string} endpoint origin of the tenant, as in `https://acme.localhost:8443`
 * @property {string} invitation token of an agent's invitation; used up
 * @property {string} [site] origin of a site that may embed the widget; without it the panel has a tab of its own
 * @property {number} [patienceMs] how long any single step may take
 * @property {(step: string) => void} [onStep]
 */

/**
 * One conversation through the pages of a running tenant, as people have it: the agent sets up an account, the visitor
 * asks, the agent answers, both leave and come back, the agent signs out. Throws at the first thing that is not so.
 * @param {ExchangeOptions} options
 */
export async function exchange({ browser, endpoint, invitation, site, patienceMs = 20_000, onStep = () => undefined }) {
  const problems = new Problems();
  const contexts = [await browser.newContext(), await browser.newContext()];
  const [agentPage, visitorPage] = await Promise.all(contexts.map((context) => context.newPage()));
  if (!agentPage || !visitorPage) throw new Error('no page');
  for (const page of [agentPage, visitorPage]) {
    page.setDefaultTimeout(patienceMs);
    problems.watch(page);
  }
  try {
    const agent = await setUpAgent(agentPage, endpoint, invitation);
    onStep('the agent redeemed the invitation');
    const visitor = await (site === undefined ? openPanel(visitorPage, endpoint) : embed(visitorPage, endpoint, site));
    onStep(site === undefined ? 'the visitor opened the panel' : `the visitor opened the panel on ${site}`);
    const words = await converse(visitor, agent);
    onStep('question, answer and thanks went through both pages');
    await returnBoth(visitor, agent, words, site === undefined);
    onStep('what was said is there after coming back');
    await agent.signOutButton.click();
    await agent.signInButton.waitFor();
    onStep('the agent signed out');
    if (problems.found.length > 0) throw new Error(`the pages had problems: ${problems.found.join('; ')}`);
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
  }
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} endpoint
 * @param {string} invitation
 */
async function setUpAgent(page, endpoint, invitation) {
  const agent = new AgentConsole(page);
  await page.goto(`${endpoint}/console/#invitation=${encodeURIComponent(invitation)}`);
  await agent.newPassword.fill(randomUUID());
  if (page.url().includes('#')) throw new Error('the invitation is still in the address');
  await agent.setUpButton.click();
  await agent.signOutButton.waitFor();
  await agent.status.getByText('Connected').waitFor();
  return agent;
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} endpoint
 */
async function openPanel(page, endpoint) {
  await page.goto(`${endpoint}/widget/`);
  return new VisitorPanel(page);
}

/**
 * The site's own page is made up here, its origin is not: whether it may frame the panel is the tenant's to say.
 * @param {import('playwright-core').Page} page
 * @param {string} endpoint
 * @param {string} site
 */
async function embed(page, endpoint, site) {
  await page.route(`${site}/**`, (route) =>
    route.fulfill({
      contentType: 'text/html; charset=utf-8',
      headers: { 'Content-Security-Policy': sitePolicy(endpoint) },
      body: sitePage(endpoint),
    }),
  );
  // A made-up page has no address, which counts as the internet's; the tenant may well be on this machine.
  await page.context().grantPermissions(['local-network-access'], { origin: site });
  const customer = new CustomerSite(page);
  await page.goto(`${site}/`);
  await customer.openPanel();
  return customer.panel;
}

/**
 * @param {VisitorPanel} visitor
 * @param {AgentConsole} agent
 */
async function converse(visitor, agent) {
  const [question, answer, thanks] = ['question', 'answer', 'thanks'].map((word) => `${word} ${randomUUID()}`);
  if (!question || !answer || !thanks) throw new Error('no words');
  await visitor.question.waitFor();
  await visitor.root.getByRole('link', { name: 'Privacy policy' }).waitFor();
  await visitor.begin({ name: 'E2E Visitor', body: question });
  await agent.items.filter({ hasText: question }).waitFor();
  await agent.choose(question);
  await agent.bodies.getByText(question).waitFor();
  await agent.say(answer);
  await visitor.bodies.getByText(answer).waitFor();
  await visitor.say(thanks);
  await agent.bodies.getByText(thanks).waitFor();
  await visitor.lastSent.waitFor();
  return [question, answer, thanks];
}

/**
 * Browsers may deny storage to embedded panels, so only one in a tab of its own must know its visitor again.
 * @param {VisitorPanel} visitor
 * @param {AgentConsole} agent
 * @param {string[]} words
 * @param {boolean} resumes
 */
async function returnBoth(visitor, agent, words, resumes) {
  await agent.page.reload();
  await agent.choose(words.at(-1) ?? '');
  await agent.bodies.nth(words.length - 1).waitFor();
  expectWords(await agent.transcript(), words);
  if (!resumes || !('reload' in visitor.root)) return;
  await visitor.root.reload();
  await visitor.bodies.nth(words.length - 1).waitFor();
  expectWords(await visitor.transcript(), words);
}

/**
 * @param {string[]} actual
 * @param {string[]} expected
 */
function expectWords(actual, expected) {
  if (actual.join('\n') !== expected.join('\n')) throw new Error(`the transcript has ${actual.length} other messages`);
}
