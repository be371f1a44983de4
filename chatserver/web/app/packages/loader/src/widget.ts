// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { LoaderMessage, PanelMessage } from './messages';
import { styles } from './styles';

/** How long the panel may take to say that it runs, in milliseconds. */
const READY_TIMEOUT = 15_000;
const NAME = 'chattenant-widget';
const SVG = 'http://www.w3.org/2000/svg';

/** What the embedding page may say on the script element. */
interface Settings {
  /** The origin the script came from, the only one the loader ever talks to. */
  readonly origin: string;
  /** `data-label`: the button's text. */
  readonly label: string;
  /** `data-side="start"`: the corner at the line's start instead of its end. */
  readonly start: boolean;
}

function settingsOf(script: HTMLScriptElement): Settings {
  const { label, side } = script.dataset;
  return { origin: new URL(script.src).origin, label: label?.trim() || 'Chat with us', start: side === 'start' };
}

function bubble(): SVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', 'M5 4h14a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3h-6l-6 5v-5H5a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z');
  path.setAttribute('fill', 'currentColor');
  svg.append(path);
  return svg;
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, properties: Partial<HTMLElementTagNameMap[K]> = {}) {
  return Object.assign(document.createElement(tag), properties);
}

/** The button on the customer's page and, from the first click on, the panel's frame. */
class Loader {
  readonly #settings: Settings;
  readonly #host = make(NAME as 'div');
  readonly #button = make('button', { type: 'button' });
  readonly #badge = make('b', { hidden: true });
  readonly #panel = make('div', { className: 'panel', id: 'panel', hidden: true });
  #frame: HTMLIFrameElement | undefined;
  #open = false;
  #trouble = 0;
  #apology: HTMLElement | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  mount(): void {
    const root = this.#host.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    this.#badge.setAttribute('aria-hidden', 'true');
    this.#button.append(bubble(), this.#settings.label, this.#badge);
    this.#button.setAttribute('aria-controls', 'panel');
    this.#button.setAttribute('aria-expanded', 'false');
    this.#button.onclick = () => {
      this.#toggle(!this.#open);
    };
    this.#host.onkeydown = ({ key }) => {
      if (key === 'Escape') this.#toggle(false);
    };
    // The panel follows the button, so that the next tab stop after opening it by hand is the panel.
    root.append(this.#button, this.#panel);
    this.#host.classList.toggle('start', this.#settings.start);
    document.body.append(this.#host);
    document.addEventListener('focusin', ({ target }) => {
      // On a phone the open panel covers the page: whoever tabs out of it must see where they are.
      const covers = this.#open && getComputedStyle(this.#button).display === 'none';
      if (covers && target !== this.#host) this.#show(false);
    });
  }

  /** Opens or closes the panel and moves the focus along. */
  #toggle(open: boolean): void {
    if (this.#open === open) return;
    this.#show(open);
    if (open) this.#frame?.focus();
    else this.#button.focus();
  }

  #show(open: boolean): void {
    if (open && !this.#frame) this.#load();
    this.#open = open;
    this.#panel.hidden = !open;
    this.#host.classList.toggle('open', open);
    this.#button.setAttribute('aria-expanded', String(open));
    this.#tell(open ? 'shown' : 'hidden');
  }

  /** The first request of all, made because the visitor asked for it. */
  #load(): void {
    const { origin, label } = this.#settings;
    const frame = make('iframe', { title: label, src: `${origin}/widget/`, referrerPolicy: 'no-referrer' });
    frame.sandbox.value = 'allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox';
    this.#frame = frame;
    this.#panel.replaceChildren(frame);
    window.addEventListener('message', (event: MessageEvent<PanelMessage | null>) => {
      if (event.source === frame.contentWindow && event.origin === origin) this.#hear(event.data);
    });
    this.#trouble = window.setTimeout(() => {
      this.#apologise();
    }, READY_TIMEOUT);
  }

  #hear(message: PanelMessage | null): void {
    if (message?.chattenant === 'ready') {
      clearTimeout(this.#trouble);
      this.#apology?.remove();
      this.#tell(this.#open ? 'shown' : 'hidden');
    } else if (message?.chattenant === 'close') {
      this.#toggle(false);
    } else if (message?.chattenant === 'unread') {
      this.#count(message.count);
    }
  }

  #count(unread: number): void {
    const { label } = this.#settings;
    this.#badge.textContent = String(unread);
    this.#badge.hidden = unread < 1;
    this.#button.setAttribute('aria-label', unread < 1 ? label : `${label}, ${unread} unread`);
  }

  #tell(what: LoaderMessage['chattenant']): void {
    const message: LoaderMessage = { chattenant: what };
    this.#frame?.contentWindow?.postMessage(message, this.#settings.origin);
  }

  /** Blocked, offline or not allowed to be framed here: a browser says nothing of it, so silence has to do. */
  #apologise(): void {
    const note = make('p', { role: 'alert', textContent: 'The chat cannot be shown here. ' });
    const link = make('a', { href: `${this.#settings.origin}/widget/`, textContent: 'Open it in a new tab' });
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    note.append(link);
    this.#panel.append(note);
    this.#apology = note;
  }
}

const script = document.currentScript;
if (script instanceof HTMLScriptElement) {
  const settings = settingsOf(script);
  const mount = () => {
    // A page that includes the script twice gets one button.
    if (!document.querySelector(NAME)) new Loader(settings).mount();
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', mount);
  else mount();
}
