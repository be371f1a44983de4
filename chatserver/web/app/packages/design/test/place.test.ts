// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { jurisdictionName, webAddress } from '../src/place';

describe('a jurisdiction', () => {
  test.each([
    ['DE', 'Germany'],
    ['US', 'United States'],
    ['EU', 'European Union'],
    ['', ''],
    ['not a code', 'not a code'],
  ])('%j is called %j', (code, name) => {
    expect(jurisdictionName(code, 'en')).toBe(name);
  });
});

describe('an address to link to', () => {
  test.each([
    ['https://acme.example/privacy', 'https://acme.example/privacy'],
    ['http://acme.example', 'http://acme.example/'],
    // eslint-disable-next-line no-script-url -- what must become no link
    ['javascript:alert(1)', undefined],
    ['data:text/html,x', undefined],
    ['/relative', undefined],
    ['', undefined],
  ])('%j leads to %j', (address, expected) => {
    expect(webAddress(address)).toBe(expected);
  });
});
