// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { VisitorPanel } from './visitor.mjs';

/** A customer's page with the chat embedded. */
export class CustomerSite {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
    this.button = page.getByRole('button', { name: /^Chat with us/ });
    this.frame = page.locator('chattenant-widget iframe');
    this.panel = new VisitorPanel(page.frameLocator('chattenant-widget iframe'));
  }

  /** Opens the panel and waits until it can be used. */
  async openPanel() {
    await this.button.click();
    await this.panel.root.getByRole('heading', { level: 1 }).waitFor();
  }
}

/**
 * The page: nothing but the one line a customer adds, and something to tab past.
 * @param {string} tenant origin of the chat server
 */
export function sitePage(tenant) {
  return `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Shop</title>
    <script src="${tenant}/widget.js" async></script></head>
  <body><main><h1>Shop</h1><p><a href="#before">A link</a></p></main></body>
</html>`;
}

/**
 * The strictest policy a site can have and still embed the chat: the script and the frame, nothing else.
 * @param {string} tenant origin of the chat server
 */
export function sitePolicy(tenant) {
  return `default-src 'none'; script-src ${tenant}; frame-src ${tenant}; require-trusted-types-for 'script'`;
}
