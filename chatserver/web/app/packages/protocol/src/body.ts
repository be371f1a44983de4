// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Control characters draw nothing, but JSON escapes each into six bytes: 4,000 of them would not fit into a frame.
const INVISIBLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/g;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** The text as it is sent: one kind of line end, well-formed, no control characters, no space around. */
export function normaliseBody(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(INVISIBLE, '').replace(LONE_SURROGATE, '\uFFFD').trim();
}

/** Length in characters as the server counts them: an emoji is one, not two. */
export function characters(text: string): number {
  return Array.from(text).length;
}
