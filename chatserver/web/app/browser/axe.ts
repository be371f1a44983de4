// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOnly } from 'axe-core';
import type { Frame } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Every rule of WCAG 2.2 AA, and what is good practice beyond it. */
export const ALL_RULES: RunOnly = {
  type: 'tag',
  values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
};

/** Where only the colours are others. */
export const COLOURS: RunOnly = { type: 'rule', values: ['color-contrast'] };

/**
 * What an accessibility check finds wrong in a page or a frame, one line each. The browser's debugger hands the check
 * over, outside of the page's policy, which stays as strict as it is.
 */
export async function violations(frame: Frame, runOnly: RunOnly): Promise<string[]> {
  if (!(await frame.evaluate(() => 'axe' in window))) await frame.evaluate(source);
  const { violations: failed } = await frame.evaluate<AxeResults, RunOnly>(
    (only) => window.axe.run(document, { runOnly: only }) as Promise<AxeResults>,
    runOnly,
  );
  return failed.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

declare global {
  interface Window {
    axe: { run(context: Document, options: { runOnly: RunOnly }): Promise<unknown> };
  }
}
