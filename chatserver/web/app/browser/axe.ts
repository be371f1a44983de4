// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * What an accessibility check finds wrong in the page and its frames, one line each. Runs outside of the page's policy
 * through the browser's own debugger, so the policy stays as strict as it is.
 */
export async function violations(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const frame of page.frames()) {
    // The page's policy refuses text as a script; a function handed over by the debugger is no such text.
    await frame.evaluate(source);
    const { violations: failed } = await frame.evaluate<AxeResults, string[]>(
      (tags) => window.axe.run(document, { runOnly: tags }) as Promise<AxeResults>,
      standards,
    );
    for (const { id, nodes } of failed) found.push(...nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  }
  return found;
}

declare global {
  interface Window {
    axe: { run(context: Document, options: { runOnly: string[] }): Promise<unknown> };
  }
}
