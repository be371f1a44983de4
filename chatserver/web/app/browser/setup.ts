// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { TestProject } from 'vitest/node';
import { makeCertificates } from './certificates.mjs';
import { launchChromium } from './chromium.mjs';

export const TENANT = 'acme.localhost';
export const SITE = 'shop.localhost';
export const STRANGER = 'stranger.localhost';

declare module 'vitest' {
  interface ProvidedContext {
    browser: string;
    caFile: string;
    key: string;
    cert: string;
  }
}

/** One browser and one set of certificates for all test files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const certificates = makeCertificates([TENANT, SITE, STRANGER]);
  const chromium = await launchChromium(certificates).catch((error: unknown) => {
    certificates.remove();
    throw error;
  });
  project.provide('browser', chromium.endpoint);
  project.provide('caFile', certificates.caFile);
  project.provide('key', certificates.key);
  project.provide('cert', certificates.cert);
  return async () => {
    await chromium.close();
    certificates.remove();
  };
}
