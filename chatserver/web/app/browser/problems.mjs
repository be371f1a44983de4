// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

const EXPECTED = /^(Failed to load resource|WebSocket connection to)/;

/**
 * Watches a page and its frames for what must never happen: violations of a content security policy, uncaught errors.
 * Failed requests and connections are the tests' own subject and no problem here.
 */
export class Problems {
  /** @type {string[]} */
  found = [];

  /** @param {import('playwright-core').Page} page */
  watch(page) {
    page.on('pageerror', (error) => {
      this.found.push(`uncaught: ${error.message}`);
    });
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !EXPECTED.test(text)) this.found.push(text);
    });
  }
}
