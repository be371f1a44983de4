// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** The agents' console as a person uses it. */
export class AgentConsole {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
    this.email = page.getByLabel('E-mail');
    this.password = page.getByLabel('Password', { exact: true });
    this.newPassword = page.getByLabel('New password');
    this.signInButton = page.getByRole('button', { name: 'Sign in' });
    this.setUpButton = page.getByRole('button', { name: 'Set up account' });
    this.signOutButton = page.getByRole('button', { name: 'Sign out' });
    this.conversations = page.getByRole('navigation', { name: 'Conversations' });
    this.items = this.conversations.getByRole('button');
    this.conversation = page.getByRole('region', { name: 'Conversation' });
    this.log = page.getByRole('log');
    this.lines = this.log.locator('.line');
    this.bodies = this.log.locator('.body');
    this.answer = page.getByLabel('Your answer');
    this.status = page.getByRole('banner').locator('.status');
    this.colleagues = page.getByRole('banner').locator('.colleagues');
    /** Whether the visitor of the open conversation is there. */
    this.visitorStatus = this.conversation.locator('.head .status');
    this.searchIn = page.getByLabel('Search in');
    this.searchFor = page.getByLabel('Search for');
    this.found = page.getByRole('region', { name: 'Search results' });
    this.results = this.found.getByRole('listitem').getByRole('button');
    this.back = page.getByRole('button', { name: 'Back to all conversations' });
  }

  /**
   * @param {string} email
   * @param {string} password
   */
  async signIn(email, password) {
    await this.email.fill(email);
    await this.password.fill(password);
    await this.signInButton.click();
  }

  /**
   * Opens the conversation whose title or preview has the text.
   * @param {string} text
   */
  async choose(text) {
    await this.items.filter({ hasText: text }).first().click();
    await this.log.waitFor();
  }

  /**
   * Asks for something and leaves the waiting for results to the caller.
   * @param {string} value
   * @param {string} [field]
   */
  async search(value, field = 'Messages') {
    await this.searchIn.selectOption({ label: field });
    await this.searchFor.fill(value);
    await this.searchFor.press('Enter');
  }

  /** @param {string} body */
  async say(body) {
    await this.answer.fill(body);
    await this.answer.press('Enter');
  }

  async transcript() {
    return this.bodies.allTextContents();
  }
}
