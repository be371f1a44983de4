// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { systemClock } from '@chattenant/protocol';
import { Fragment } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { CheckIcon, DownIcon } from './icons';
import type { Line, Mark } from './lines';
import { text } from './text';
import { clockTime, dayName } from './times';

export interface TranscriptProps {
  readonly label: string;
  readonly lines: readonly Line[];
  /** False while earlier messages are still arriving: they are not read out one by one. */
  readonly complete: boolean;
  readonly onRetry: (clientId: string) => void;
  readonly onDiscard: (clientId: string) => void;
}

/** How near to its end, in pixels, the log must be to follow new messages. */
const NEAR_END_PX = 80;

/** The messages of a conversation. Follows the newest one unless the reader has scrolled away. */
export function Transcript({ label, lines, complete, onRetry, onDiscard }: TranscriptProps) {
  const log = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const toEnd = () => {
    const element = log.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  useLayoutEffect(() => {
    if (following) toEnd();
  }, [lines, following]);
  return (
    <div class="transcript">
      <div
        ref={log}
        class="log"
        role="log"
        aria-label={label}
        aria-live="polite"
        aria-relevant="additions"
        aria-busy={!complete}
        // A log that scrolls must be scrollable from the keyboard.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          setFollowing(scrollHeight - scrollTop - clientHeight < NEAR_END_PX);
        }}
      >
        <ol class="lines">
          {lines.map((line) => (
            <Fragment key={line.key}>
              {line.newDay && <li class="day">{dayName(line.at, systemClock.now())}</li>}
              <Message line={line} onRetry={onRetry} onDiscard={onDiscard} />
            </Fragment>
          ))}
        </ol>
      </div>
      {!following && (
        <button type="button" class="button to-end" onClick={toEnd}>
          <DownIcon />
          {text.newMessages}
        </button>
      )}
    </div>
  );
}

interface MessageProps extends Pick<TranscriptProps, 'onRetry' | 'onDiscard'> {
  readonly line: Line;
}

function Message({ line, onRetry, onDiscard }: MessageProps) {
  const { own, turn, mark, author, at, failedClientId } = line;
  const pending = mark === 'queued' || mark === 'sending';
  const classes = ['line', own && 'own', turn && 'turn', pending && 'pending', mark === 'failed' && 'failed'];
  return (
    <li class={classes.filter(Boolean).join(' ')}>
      <span class={turn && !own ? 'author' : 'unseen'}>{own ? text.you : author}</span>
      <div class="body" dir="auto">
        <Said line={line} />
      </div>
      <div class="meta">
        <time dateTime={new Date(at).toISOString()}>{clockTime(at)}</time>
        {own && <MarkOf mark={mark} />}
        {failedClientId !== undefined && (
          <Remedies clientId={failedClientId} onRetry={onRetry} onDiscard={onDiscard} />
        )}
      </div>
    </li>
  );
}

function Said({ line: { body, changed } }: { readonly line: Line }) {
  if (changed === 'deleted') return <em>{text.deleted}</em>;
  return (
    <>
      {body}
      {changed === 'edited' && <small> ({text.edited})</small>}
    </>
  );
}

function MarkOf({ mark }: { readonly mark: Mark }) {
  if (mark === 'failed') return <strong>{text.failed}</strong>;
  if (mark === 'queued' || mark === 'sending') return <span>{text[mark]}</span>;
  return (
    <>
      <CheckIcon />
      <span class={mark === 'sent' ? 'unseen' : undefined}>{text[mark]}</span>
    </>
  );
}

interface RemediesProps extends Pick<TranscriptProps, 'onRetry' | 'onDiscard'> {
  readonly clientId: string;
}

function Remedies({ clientId, onRetry, onDiscard }: RemediesProps) {
  return (
    <>
      <button type="button" class="button quiet small" onClick={() => { onRetry(clientId); }}>
        {text.retry}
      </button>
      <button type="button" class="button quiet small" onClick={() => { onDiscard(clientId); }}>
        {text.discard}
      </button>
    </>
  );
}
