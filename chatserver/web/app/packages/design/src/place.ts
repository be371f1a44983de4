// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** The name of a jurisdiction's country in the reader's language, or its code where it is not known. */
export function jurisdictionName(code: string, language?: string): string {
  try {
    return new Intl.DisplayNames(language, { type: 'region', fallback: 'code' }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** The address if a link may lead there: never `javascript:` or anything else that is not a web page. */
export function webAddress(address: string): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url.href : undefined;
}
