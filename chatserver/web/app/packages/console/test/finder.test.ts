// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { ApiError, type SearchAnswer, type SearchRequest } from '@chattenant/protocol';
import { describe, expect, test } from 'vitest';
import { Finder } from '../src/finder';

function page(ids: readonly string[], before?: string): SearchAnswer {
  const at = '2026-01-02T12:00:00.000Z';
  const hits = ids.map((conversation) => ({ conversation, openedAt: at, at, seq: 1 }));
  return { hits, ...(before !== undefined && { before }) };
}

/** A finder whose questions are answered by hand. */
function finder() {
  const asked: { request: SearchRequest; answer: (answer: SearchAnswer) => void; fail: (error: Error) => void }[] = [];
  const subject = new Finder(
    (request) =>
      new Promise((answer, fail) => {
        asked.push({ request, answer, fail });
      }),
  );
  const found = () => subject.snapshot().hits.map(({ conversation }) => conversation);
  return { subject, asked, found };
}

describe('a search', () => {
  test('asks for one field, shows what was found and goes on from there', async () => {
    const { subject, asked, found } = finder();
    const first = subject.search('email', 'mia@example.org');
    expect(asked[0]?.request).toEqual({ email: 'mia@example.org' });
    expect(subject.snapshot()).toMatchObject({ busy: true, hits: [], more: false });
    asked[0]?.answer(page(['a', 'b'], 'further'));
    await first;
    expect(found()).toEqual(['a', 'b']);
    expect(subject.snapshot()).toMatchObject({ busy: false, more: true });
    const second = subject.more();
    expect(asked[1]?.request).toEqual({ email: 'mia@example.org', before: 'further' });
    expect(found()).toEqual(['a', 'b']);
    asked[1]?.answer(page(['c']));
    await second;
    expect(found()).toEqual(['a', 'b', 'c']);
    expect(subject.snapshot().more).toBe(false);
    await subject.more();
    expect(asked).toHaveLength(2);
  });

  test('asks for more once, however often it is told to', async () => {
    const { subject, asked } = finder();
    const first = subject.search('text', 'hello');
    asked[0]?.answer(page([], 'further'));
    await first;
    void subject.more();
    void subject.more();
    expect(asked).toHaveLength(2);
  });

  test('drops the answer to what is no longer asked', async () => {
    const { subject, asked, found } = finder();
    const slow = subject.search('text', 'slow');
    const quick = subject.search('text', 'quick');
    asked[1]?.answer(page(['quick']));
    await quick;
    asked[0]?.answer(page(['slow']));
    await slow;
    expect(found()).toEqual(['quick']);
    const late = subject.search('text', 'late');
    subject.close();
    asked[2]?.answer(page(['late']));
    await late;
    expect(subject.snapshot()).toEqual({ busy: false, hits: [], more: false });
  });

  test('keeps what was found when the next page fails, and asks for it again', async () => {
    const { subject, asked, found } = finder();
    const first = subject.search('text', 'hello');
    asked[0]?.answer(page(['a'], 'further'));
    await first;
    const second = subject.more();
    asked[1]?.fail(new ApiError('unavailable', 'away'));
    await second;
    expect(found()).toEqual(['a']);
    expect(subject.snapshot()).toMatchObject({ busy: false, more: true, problem: { code: 'unavailable' } });
    const again = subject.more();
    expect(asked[2]?.request).toEqual({ text: 'hello', before: 'further' });
    asked[2]?.answer(page(['b']));
    await again;
    expect(found()).toEqual(['a', 'b']);
    expect(subject.snapshot().problem).toBeUndefined();
  });

  test('a fault of the page is not shown as one of the server', async () => {
    const { subject, asked } = finder();
    const search = subject.search('text', 'hello');
    asked[0]?.fail(new TypeError('ours'));
    await expect(search).rejects.toThrow(TypeError);
  });
});
