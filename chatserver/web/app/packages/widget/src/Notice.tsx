// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { jurisdictionName, ShieldIcon, webAddress } from '@chattenant/design';
import type { Info } from '@chattenant/protocol';
import { text } from './text';

/** Where the visitor's words are kept and under which policy: shown before the first one and ever after. */
export function Notice({ info, brief }: { readonly info: Info; readonly brief: boolean }) {
  const { displayName, jurisdiction } = info.region;
  const sentence = brief ? text.keptBriefly : text.keptIn;
  const policy = webAddress(info.policyURL);
  return (
    <div class={brief ? 'notice brief' : 'notice'}>
      <ShieldIcon />
      <p>
        {sentence(displayName, jurisdictionName(jurisdiction))}{' '}
        {policy !== undefined && (
          <a href={policy} target="_blank" rel="noopener noreferrer">
            {text.policy} <span class="unseen">{text.newTab}</span>
          </a>
        )}
      </p>
    </div>
  );
}
