// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useObservable } from '@chattenant/design';
import { useLayoutEffect } from 'preact/hooks';
import type { Desk } from './desk';
import { Gate } from './Gate';
import { Invitation } from './Invitation';
import { SignIn } from './SignIn';
import { text } from './text';
import { Workplace } from './Workplace';

/** The whole console. */
export function App({ desk }: { readonly desk: Desk }) {
  const state = useObservable(desk);
  const { view } = state;
  useLayoutEffect(() => {
    // A new screen is announced by its heading.
    document.querySelector<HTMLElement>('h1')?.focus();
  }, [view.kind]);
  switch (view.kind) {
    case 'checking':
      return (
        <main class="gate">
          <p class="wait busy">{text.loading}</p>
        </main>
      );
    case 'unavailable':
      return <Unavailable desk={desk} info={state.info} />;
    case 'signedOut':
      return <SignIn desk={desk} state={state} ended={view.ended} />;
    case 'invited':
      return <Invitation desk={desk} state={state} />;
    case 'signedIn':
      return <Workplace key={view.agent.agent} desk={desk} state={state} view={view} />;
  }
}

function Unavailable({ desk, info }: { readonly desk: Desk; readonly info: Parameters<typeof Gate>[0]['info'] }) {
  return (
    <Gate info={info} heading={text.console}>
      <p role="alert">{text.unavailable}</p>
      <button
        type="button"
        class="button"
        onClick={() => {
          void desk.load();
        }}
      >
        {text.retry}
      </button>
    </Gate>
  );
}
