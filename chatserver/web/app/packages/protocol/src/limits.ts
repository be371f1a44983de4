// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Limits the server enforces. Characters are Unicode code points.

/** The largest frame a client may send, in bytes. */
export const MAX_FRAME_BYTES = 16 * 1024;
/** The longest message, in characters. */
export const MAX_BODY_CHARACTERS = 4000;
/** The longest name of a visitor, in characters. */
export const MAX_NAME_CHARACTERS = 200;
/** The longest e-mail address. */
export const MAX_EMAIL_CHARACTERS = 254;
/** The longest text that is searched for, in characters. */
export const MAX_SEARCH_CHARACTERS = 200;
export const MIN_PASSWORD_CHARACTERS = 12;
export const MAX_PASSWORD_CHARACTERS = 256;
