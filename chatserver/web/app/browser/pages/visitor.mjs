// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** The visitor's panel as a person uses it, in a page of its own or in a frame. */
export class VisitorPanel {
  /** @param {import('playwright-core').Page | import('playwright-core').FrameLocator} root */
  constructor(root) {
    this.root = root;
    this.question = root.getByRole('heading', { name: 'How can we help?' });
    this.name = root.getByLabel('Name');
    this.email = root.getByLabel('E-mail');
    this.message = root.getByLabel('Your message');
    this.startButton = root.getByRole('button', { name: 'Start chat' });
    this.sendButton = root.getByRole('button', { name: 'Send', exact: true });
    this.log = root.getByRole('log', { name: 'Conversation' });
    this.lines = this.log.locator('.line');
    this.bodies = this.log.locator('.body');
    /** The mark of the last message, once it is durable. */
    this.lastSent = this.lines.last().getByText(/^(Sent|Delivered|Read)$/);
    /** Says that an agent writes. */
    this.typing = root.getByText(/ is typing…$/);
    this.status = root.locator('header').getByRole('status');
    this.notice = root.locator('.notice');
    this.actions = this.log.locator('.actions');
    this.edit = this.log.getByRole('button', { name: 'Edit message' });
    this.remove = this.log.getByRole('button', { name: 'Delete message' });
    this.editor = this.log.getByRole('textbox', { name: 'Edit message' });
    this.save = this.log.getByRole('button', { name: 'Save' });
    this.confirm = this.log.getByRole('button', { name: 'Delete', exact: true });
    this.keep = this.log.getByRole('button', { name: 'Keep' });
    this.close = root.getByRole('button', { name: 'Close chat' });
  }

  /** @param {{ name?: string, email?: string, body: string }} words */
  async begin({ name = '', email = '', body }) {
    await this.name.fill(name);
    await this.email.fill(email);
    await this.message.fill(body);
    await this.startButton.click();
    await this.log.waitFor();
  }

  /** @param {string} body */
  async say(body) {
    await this.message.fill(body);
    await this.message.press('Enter');
  }

  /**
   * Gives the visitor's first message another text.
   * @param {string} body
   */
  async change(body) {
    await this.lines.first().hover();
    await this.edit.first().click();
    await this.editor.fill(body);
    await this.editor.press('Enter');
  }

  /** Bodies in the order shown. */
  async transcript() {
    return this.bodies.allTextContents();
  }
}
