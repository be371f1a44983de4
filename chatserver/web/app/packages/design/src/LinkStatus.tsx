// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { LinkState } from '@chattenant/protocol';
import { text } from './text';

const words: Readonly<Record<LinkState['kind'], string>> = {
  stopped: text.offline,
  connecting: text.connecting,
  online: text.online,
  waiting: text.waiting,
  refused: text.offline,
};

/** Says how the connection is, and says it again when that changes. */
export function LinkStatus({ link }: { readonly link: LinkState }) {
  return (
    <span class={`status ${link.kind}`} role="status">
      {words[link.kind]}
    </span>
  );
}
