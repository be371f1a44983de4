// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { characters, MAX_BODY_CHARACTERS, MAX_FRAME_BYTES, normaliseBody } from '../src';

describe('the text of a message', () => {
  test.each([
    ['windows line ends', 'a\r\nb\rc', 'a\nb\nc'],
    ['space around', '  \n a  b \n', 'a  b'],
    ['control characters', 'a\u0000\u0007b\u007f', 'ab'],
    ['tabs and line feeds are kept', 'a\tb\nc', 'a\tb\nc'],
    ['halves of an emoji', 'a\ud83d b \ude00', 'a\ufffd b \ufffd'],
    ['a whole emoji is kept', '😀', '😀'],
    ['markup is text', '<b>&amp;</b>', '<b>&amp;</b>'],
  ])('%s', (_, text, expected) => {
    expect(normaliseBody(text)).toBe(expected);
  });

  test('an emoji counts as one character', () => {
    expect(characters('a😀b')).toBe(3);
  });

  test.each(['"', '\\', '\n', '😀', '\u2028', 'ü'])('4,000 times %j fit into one frame', (character) => {
    const body = normaliseBody(`x${character.repeat(MAX_BODY_CHARACTERS - 2)}x`);
    const uuid = '00000000-0000-7000-8000-000000000000';
    const frame = JSON.stringify({ type: 'send', conversation: uuid, clientId: uuid, body });
    expect(characters(body)).toBe(MAX_BODY_CHARACTERS);
    expect(new TextEncoder().encode(frame).length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
  });
});
