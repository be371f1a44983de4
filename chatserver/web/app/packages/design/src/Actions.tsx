// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { RefObject } from 'preact';
import { EditIcon, TrashIcon } from './icons';
import { text } from './text';

/** What an author may do with a message. */
export type Act = 'edit' | 'delete';

export interface ActionsProps {
  /** Id of what is said: two buttons of one name differ by it. */
  readonly about: string;
  readonly inTabOrder: boolean;
  readonly buttons: Readonly<Record<Act, RefObject<HTMLButtonElement | null>>>;
  readonly onVisit: () => void;
  readonly onAct: (act: Act) => void;
}

const kinds: readonly (readonly [Act, () => preact.JSX.Element])[] = [
  ['edit', EditIcon],
  ['delete', TrashIcon],
];

/** The buttons beside an own message. The arrow keys go from one message's to another's. */
export function Actions({ about, inTabOrder, buttons, onVisit, onAct }: ActionsProps) {
  return (
    <span class="actions">
      {kinds.map(([act, Drawing]) => (
        <button
          key={act}
          ref={buttons[act]}
          type="button"
          class="button small action"
          tabIndex={inTabOrder ? 0 : -1}
          aria-label={text.acts[act]}
          aria-describedby={about}
          aria-keyshortcuts="ArrowUp ArrowDown"
          title={text.acts[act]}
          onFocus={onVisit}
          onClick={() => {
            onAct(act);
          }}
          onKeyDown={(event) => {
            const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
            if (step === undefined) return;
            event.preventDefault();
            neighbour(event.currentTarget, step)?.focus();
          }}
        >
          <Drawing />
        </button>
      ))}
    </span>
  );
}

/** The same button of the message before or after. */
function neighbour(button: HTMLElement, step: number): HTMLElement | undefined {
  const own = button.closest('.actions');
  const all = [...(button.closest('.log')?.querySelectorAll('.actions') ?? [])];
  const other = own && all[all.indexOf(own) + step];
  const place = [...(own?.children ?? [])].indexOf(button);
  return other?.children[place] as HTMLElement | undefined;
}
