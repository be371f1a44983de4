// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { systemClock } from '@chattenant/protocol';
import { Fragment } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { DownIcon } from './icons';
import type { Line } from './lines';
import { Message, type MessageDeeds } from './Message';
import { useNews } from './news';
import { text } from './text';
import { dayName } from './times';

export interface TranscriptProps extends MessageDeeds {
  readonly label: string;
  readonly lines: readonly Line[];
  /** False while earlier messages are still arriving: they are not read out one by one. */
  readonly complete: boolean;
}

/** How near to its end, in pixels, the log must be to follow new messages. */
const NEAR_END_PX = 80;

/** The messages of a conversation. Follows the newest one unless the reader has scrolled away. */
export function Transcript({ label, lines, complete, ...deeds }: TranscriptProps) {
  const log = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [visited, setVisited] = useState<string>();
  const news = useNews(lines, complete);
  const toEnd = () => {
    const element = log.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  useLayoutEffect(() => {
    if (following) toEnd();
  }, [lines, following]);
  const stop = tabStop(lines, visited);
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
              <Message
                line={line}
                inTabOrder={line.key === stop}
                onVisit={() => {
                  setVisited(line.key);
                }}
                onGone={() => {
                  log.current?.focus();
                }}
                {...deeds}
              />
            </Fragment>
          ))}
        </ol>
      </div>
      <p class="unseen" role="status">
        {news && <span key={news.count}>{news.words}</span>}
      </p>
      {!following && (
        <button type="button" class="button to-end" onClick={toEnd}>
          <DownIcon />
          {text.newMessages}
        </button>
      )}
    </div>
  );
}

/** Of all messages that can be changed one is reached with Tab, the others from there with the arrow keys. */
function tabStop(lines: readonly Line[], visited: string | undefined): string | undefined {
  const changeable = lines.filter(({ messageId }) => messageId !== undefined);
  return (changeable.find(({ key }) => key === visited) ?? changeable.at(-1))?.key;
}
