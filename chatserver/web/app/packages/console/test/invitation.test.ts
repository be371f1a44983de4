// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { takeInvitation } from '../src/invitation';

function addressBar(hash: string) {
  const shown: string[] = [];
  const history = {
    replaceState: (_state: unknown, _unused: string, url?: string | URL | null) => {
      if (typeof url === 'string') shown.push(url);
    },
  };
  return { shown, bar: { location: { hash, pathname: '/console/', search: '?a=1' }, history } };
}

describe('an invitation', () => {
  test('is taken out of the address', () => {
    const { shown, bar } = addressBar('#invitation=a%2Fb');
    expect(takeInvitation(bar)).toBe('a/b');
    expect(shown).toEqual(['/console/?a=1']);
  });

  test.each([
    ['', []],
    ['#', ['/console/?a=1']],
    ['#invitation=', ['/console/?a=1']],
    ['#conversation', ['/console/?a=1']],
  ])('there is none in %j', (hash, expected) => {
    const { shown, bar } = addressBar(hash);
    expect(takeInvitation(bar)).toBeUndefined();
    expect(shown).toEqual(expected);
  });
});
