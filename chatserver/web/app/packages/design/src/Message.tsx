// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Actions, type Act } from './Actions';
import { Confirmation } from './Confirmation';
import { Editor } from './Editor';
import { useId } from './hooks';
import { CheckIcon } from './icons';
import type { Line, LineChange, Mark } from './lines';
import { text } from './text';
import { clockTime } from './times';

/** What can be done about messages. */
export interface MessageDeeds {
  readonly onRetry: (clientId: string) => void;
  readonly onDiscard: (clientId: string) => void;
  readonly onEdit: (messageId: string, body: string) => void;
  readonly onDelete: (messageId: string) => void;
}

export interface MessageProps extends MessageDeeds {
  readonly line: Line;
  /** Whether Tab stops at what can be done about it. */
  readonly inTabOrder: boolean;
  /** The focus came to what can be done about it. */
  readonly onVisit: () => void;
  /** What had the focus is no longer there. */
  readonly onGone: () => void;
}

/** One message, and while it is its author's wish the means to change it. */
export function Message(props: MessageProps) {
  const { line } = props;
  const { own, turn, author, messageId } = line;
  const id = useId();
  const act = useAct(messageId !== undefined, props.onGone);
  return (
    <li class={classOf(line)}>
      <span class={turn && !own ? 'author' : 'unseen'}>{own ? text.you : author}</span>
      {act.doing === 'edit' ? (
        <Editor
          body={line.body}
          onSave={(body) => {
            if (messageId !== undefined && body !== line.body) props.onEdit(messageId, body);
            act.end(false);
          }}
          onCancel={() => {
            act.end(false);
          }}
        />
      ) : (
        <div class="body" id={id} dir="auto">
          <Said line={line} />
        </div>
      )}
      {act.doing === 'delete' ? (
        <Confirmation
          question={text.deleteQuestion}
          about={id}
          onConfirm={() => {
            if (messageId !== undefined) props.onDelete(messageId);
            act.end(true);
          }}
          onCancel={() => {
            act.end(false);
          }}
        />
      ) : (
        act.doing !== 'edit' && <Meta {...props} about={id} buttons={act.buttons} onAct={act.begin} />
      )}
    </li>
  );
}

/**
 * Which action is under way, as long as the message can be changed. When it ends the focus is back on the button it
 * began with; where that is gone, or about to be, the caller finds it a place.
 */
function useAct(changeable: boolean, onGone: () => void) {
  const [chosen, choose] = useState<Act>();
  const buttons = { edit: useRef<HTMLButtonElement>(null), delete: useRef<HTMLButtonElement>(null) };
  const before = useRef<Act | undefined>(undefined);
  const going = useRef(false);
  const doing = changeable ? chosen : undefined;
  useLayoutEffect(() => {
    const ended = doing === undefined ? before.current : undefined;
    before.current = doing;
    if (ended === undefined) return;
    const button = going.current ? undefined : buttons[ended].current;
    if (button) button.focus();
    else onGone();
    // Only the end of an action moves the focus.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [doing]);
  return {
    doing,
    buttons,
    begin: choose,
    /** The message itself may be about to go. */
    end: (gone: boolean) => {
      going.current = gone;
      choose(undefined);
    },
  };
}

function classOf({ own, turn, mark, changed, change }: Line): string {
  const pending = ['queued', 'sending'].includes(change?.mark ?? mark);
  // What was not deleted is as good as it was.
  const failed = mark === 'failed' || (change?.kind === 'edit' && change.mark === 'failed');
  const gone = changed === 'deleted' && !failed;
  const classes = ['line', own && 'own', turn && 'turn', pending && 'pending', failed && 'failed', gone && 'gone'];
  return classes.filter(Boolean).join(' ');
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

interface MetaProps extends MessageProps {
  /** Id of what is said. */
  readonly about: string;
  readonly buttons: Parameters<typeof Actions>[0]['buttons'];
  readonly onAct: (act: Act) => void;
}

/** When it was said, how far it has got, and what can be done about it. */
function Meta({ line, inTabOrder, onVisit, about, buttons, onAct, onRetry, onDiscard }: MetaProps) {
  const { own, mark, at, failedClientId, messageId, change } = line;
  const failed = change?.failedClientId ?? failedClientId;
  return (
    <div class="meta">
      {messageId !== undefined && (
        <Actions about={about} inTabOrder={inTabOrder} buttons={buttons} onVisit={onVisit} onAct={onAct} />
      )}
      <time dateTime={new Date(at).toISOString()}>{clockTime(at)}</time>
      {own && (change ? <MarkOfChange change={change} /> : <MarkOf mark={mark} />)}
      {failed !== undefined && (
        <>
          <button type="button" class="button quiet small" onClick={() => { onRetry(failed); }}>
            {text.retry}
          </button>
          <button type="button" class="button quiet small" onClick={() => { onDiscard(failed); }}>
            {change ? text.leave : text.discard}
          </button>
        </>
      )}
    </div>
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

function MarkOfChange({ change: { kind, mark } }: { readonly change: LineChange }) {
  const words = text.changes[kind];
  if (mark === 'failed') return <strong>{words.failed}</strong>;
  return <span>{mark === 'queued' ? words.queued : words.sending}</span>;
}
