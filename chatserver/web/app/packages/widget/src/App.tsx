// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { CloseIcon, LinkStatus, Status, useObservable } from '@chattenant/design';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Chat } from './Chat';
import type { Embedding } from './embedding';
import type { Panel, PanelState, View } from './panel';
import { hereStatus, useLooking } from './presence';
import { StartForm } from './StartForm';
import { text } from './text';
import { useReading, useUnread } from './unread';

export interface AppProps {
  readonly panel: Panel;
  readonly embedding: Embedding;
}

/** The whole panel. */
export function App({ panel, embedding }: AppProps) {
  const { info, view } = useObservable(panel);
  const shown = useObservable(embedding);
  const input = useRef<HTMLTextAreaElement>(null);
  const screen = useRef<HTMLDivElement>(null);
  const { kind } = view;
  useUnread(view, shown, embedding);
  useReading(panel, view, shown);
  useLooking(panel, view, shown);
  useLayoutEffect(() => {
    // Whoever opens the panel or moves on in it continues where something can be done.
    if (shown) (input.current ?? screen.current?.querySelector<HTMLElement>('h2'))?.focus();
  }, [shown, kind]);
  return (
    // Escape closes the panel from anywhere inside; the close button does the same for everyone.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- listens for what bubbles up, is not a control
    <div
      ref={screen}
      class="panel"
      onKeyDown={({ key }) => {
        if (key === 'Escape') embedding.tell({ chattenant: 'close' });
      }}
    >
      <header>
        <div>
          <h1>{info?.displayName}</h1>
          <PanelStatus info={info} view={view} />
        </div>
        {embedding.framed && <CloseButton embedding={embedding} />}
      </header>
      <main class={kind}>
        {view.kind === 'loading' && <p class="wait busy">{text.loading}</p>}
        {view.kind === 'unavailable' && <Unavailable panel={panel} />}
        {info && view.kind === 'start' && <Start info={info} panel={panel} view={view} />}
        {info && view.kind === 'chat' && <Chat info={info} panel={panel} view={view} inputRef={input} />}
      </main>
    </div>
  );
}

/** How the connection is, or, where that needs no word, who is there. */
function PanelStatus({ info, view }: Pick<PanelState, 'view'> & { readonly info: PanelState['info'] | undefined }) {
  const here = hereStatus(info, view);
  const link = view.kind === 'chat' ? view.snapshot.link : undefined;
  if (link && (link.kind !== 'online' || !here)) return <LinkStatus link={link} />;
  return here ? <Status {...here} /> : null;
}

interface StartProps {
  readonly info: Parameters<typeof StartForm>[0]['info'];
  readonly panel: Panel;
  readonly view: Extract<View, { kind: 'start' }>;
}

function Start({ info, panel, view: { busy, ended, problem } }: StartProps) {
  return (
    <StartForm
      info={info}
      busy={busy}
      ended={ended}
      problem={problem}
      onBegin={(words) => {
        void panel.begin(words);
      }}
    />
  );
}

function Unavailable({ panel }: { readonly panel: Panel }) {
  return (
    <div class="dead" role="alert">
      <p>{text.unavailable}</p>
      <button
        type="button"
        class="button"
        onClick={() => {
          void panel.load();
        }}
      >
        {text.retry}
      </button>
    </div>
  );
}

function CloseButton({ embedding }: { readonly embedding: Embedding }) {
  return (
    <button
      type="button"
      class="button icon close"
      aria-label={text.close}
      onClick={() => {
        embedding.tell({ chattenant: 'close' });
      }}
    >
      <CloseIcon />
    </button>
  );
}
