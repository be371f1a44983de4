// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { SUBPROTOCOL, type ErrorCode, type Info, type Participant } from '@chattenant/protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import { Agents } from './agents';
import { assetAt } from './assets';
import { Engine } from './engine';
import { search } from './search';
import { answerFrames, errorBody, openStream } from './streams';

export interface HostOptions {
  readonly key: string;
  readonly cert: string;
  /** Folder of the built assets. */
  readonly assets: string;
  readonly info: Info;
  readonly tenant: string;
  /** The only host name whose pages may frame the widget. */
  readonly site: string;
}

/** A page of some customer's site. */
export interface SitePage {
  readonly html: string;
  readonly policy: string;
}

const statuses: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
  internal: 500,
};

/** The chat server's addresses over HTTPS for tests, and customers' sites on other names of the same port. */
export class Host {
  readonly engine = new Engine();
  readonly agents = new Agents();
  /** Pages of customers' sites by host name. */
  readonly sites = new Map<string, SitePage>();
  /** What stands between the browser and the server does with WebSockets. */
  webSockets: 'passed' | 'refused' | 'held' = 'passed';
  /** Searches are refused with this. */
  searchFault: ErrorCode | undefined;
  /** The HTTP interface answers `unavailable`. */
  unavailable = false;
  readonly #options: HostOptions;
  readonly #server: Server;
  readonly #held = new Set<Duplex>();
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });

  constructor(options: HostOptions) {
    this.#options = options;
    this.#server = createServer({ key: options.key, cert: options.cert }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      if (this.webSockets !== 'passed') {
        if (this.webSockets === 'refused') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        else this.#held.add(socket);
        return;
      }
      if (request.headers.origin !== this.origin || request.url !== '/api/v1/ws') {
        socket.destroy();
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#attach(webSocket, this.agents.of(request.headers.cookie));
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return this.originOf(this.#options.tenant);
  }

  originOf(name: string): string {
    return `https://${name}:${this.port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    for (const socket of this.#held) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  #attach(socket: WebSocket, agent: Participant | undefined): void {
    const session = this.engine.connect(
      {
        send: (frame) => {
          socket.send(JSON.stringify(frame));
        },
        close: (code) => {
          // A crash has no closing handshake.
          if (code === 1006) socket.terminate();
          else socket.close(code);
        },
      },
      agent,
    );
    socket.on('message', (data: Buffer) => {
      session.receive(data.toString('utf8'));
    });
    socket.on('close', () => {
      session.closed();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = request.headers.host?.split(':')[0] ?? '';
    const site = this.sites.get(name);
    const path = request.url ?? '/';
    if (site) {
      response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': site.policy }).end(site.html);
    } else if (path.startsWith('/api/')) {
      await this.#api(request, response);
    } else {
      this.#asset(request, response);
    }
  }

  #asset(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '/';
    const { 'accept-encoding': encodings = '' } = request.headers;
    const asset = assetAt(this.#options.assets, path, encodings);
    if (!asset) {
      response.writeHead(404).end();
      return;
    }
    const ancestors = path.startsWith('/widget/') ? this.originOf(this.#options.site) : "'none'";
    const more = { 'Content-Security-Policy': policy(ancestors), 'Referrer-Policy': 'no-referrer' };
    response.writeHead(200, { ...asset.headers, ...more }).end(asset.body);
  }

  async #api(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    if (this.unavailable) {
      fail(response, 'unavailable');
    } else if (request.method !== 'GET' && request.headers.origin !== this.origin) {
      fail(response, 'forbidden');
    } else {
      this.#answer(`${request.method ?? ''} ${request.url ?? ''}`, request, text, response);
    }
  }

  #answer(route: string, request: IncomingMessage, text: string, response: ServerResponse): void {
    const agent = this.agents.of(request.headers.cookie);
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, string>;
    const { email = '', password = '', token = '' } = body;
    const routes: Readonly<Record<string, () => void>> = {
      'GET /api/v1/info': () => {
        answer(response, 200, { ...this.#options.info, available: this.engine.present() });
      },
      'POST /api/v1/visitor/session': () => {
        answer(response, 201, { ...this.engine.newVisitor(), expiresAt: new Date(Date.now() + 3_600_000) });
      },
      'GET /api/v1/agent/session': () => {
        if (agent) answer(response, 200, { agent: agent.id, displayName: agent.displayName });
        else fail(response, 'unauthenticated');
      },
      'POST /api/v1/agent/session': () => {
        if (this.agents.limited) fail(response, 'rate_limited', 30);
        else this.#seat(response, this.agents.check(email, password));
      },
      'POST /api/v1/agent/invitation': () => {
        this.#seat(response, this.agents.redeem(token, password));
      },
      'POST /api/v1/agent/search': () => {
        if (!agent) fail(response, 'unauthenticated');
        else if (this.searchFault) fail(response, this.searchFault, 7);
        else answer(response, 200, search(this.engine.conversations, body));
      },
      'DELETE /api/v1/agent/session': () => {
        if (agent) this.signOut(agent);
        response.writeHead(204).end();
      },
      'POST /api/v1/stream': () => {
        this.#stream(text, agent, response);
      },
      'POST /api/v1/frames': () => {
        this.#frames(text, this.#visitorOf(request) ?? agent, response);
      },
    };
    const act = routes[route];
    if (act) act();
    else fail(response, 'not_found');
  }

  #visitorOf(request: IncomingMessage): Participant | undefined {
    return this.engine.visitorOf(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]);
  }

  #stream(hello: string, agent: Participant | undefined, response: ServerResponse): void {
    const gone = openStream(this.engine, hello, agent, {
      refuse: ({ code, retryAfterMs = 0 }) => {
        fail(response, code, retryAfterMs / 1000);
      },
      write: (text) => {
        if (!response.headersSent) {
          response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store, no-transform' });
        }
        response.write(text);
      },
      end: (orderly) => {
        if (orderly) response.end();
        else response.destroy();
      },
    });
    response.on('close', gone);
  }

  #frames(body: string, self: Participant | undefined, response: ServerResponse): void {
    if (!self) {
      fail(response, 'unauthenticated');
      return;
    }
    const answers = answerFrames(this.engine, self, body);
    if (answers === undefined) response.destroy();
    else response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(answers);
  }

  /** Ends an agent's sessions and sockets, as the server does on sign-out and when an account is revoked. */
  signOut(agent: Participant): void {
    this.agents.end(agent);
    this.engine.drop(1008, (self) => self?.id === agent.id);
  }

  #seat(response: ServerResponse, agent: Participant | undefined): void {
    if (!agent) {
      fail(response, 'unauthenticated');
      return;
    }
    const cookie = `__Host-session=${this.agents.start(agent)}; Path=/; Secure; HttpOnly; SameSite=Strict`;
    response.setHeader('Set-Cookie', cookie);
    answer(response, 200, { agent: agent.id, displayName: agent.displayName });
  }
}

/** The strictest policy the pages must live with. */
function policy(ancestors: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${ancestors}`,
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(body));
}

function fail(response: ServerResponse, code: ErrorCode, retryAfterSeconds = 0): void {
  if (retryAfterSeconds > 0) response.setHeader('Retry-After', retryAfterSeconds);
  response.writeHead(statuses[code], { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(errorBody({ type: 'error', code, message: code, retryAfterMs: retryAfterSeconds * 1000 }));
}
