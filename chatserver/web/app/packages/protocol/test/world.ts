// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Engine, FakeClock, Network, seededRandom } from '@chattenant/testserver';
import { ChatClient, type ClientDeps, type Participant, type Snapshot } from '../src';

export const AGENT: Participant = { kind: 'agent', id: 'agent-1', displayName: 'Ada' };

/** A clock, a server and a network, and clients on them. */
export class World {
  readonly clock = new FakeClock();
  readonly engine = new Engine({ now: () => this.clock.now() });
  readonly network = new Network(this.clock, this.engine);
  readonly random = seededRandom(7);
  wake: () => void = () => {
    throw new Error('no client listens');
  };
  #ids = 0;

  visitor(deps: Partial<ClientDeps> = {}): ChatClient {
    return this.#client({ transport: this.network.transport(), token: this.engine.newVisitor().token, ...deps });
  }

  agent(deps: Partial<ClientDeps> = {}): ChatClient {
    return this.#client({ transport: this.network.transport(AGENT), ...deps });
  }

  /** A visitor who has said `texts`, all of them acknowledged. */
  talkingVisitor(...texts: string[]): ChatClient {
    const visitor = this.visitor();
    visitor.start();
    const target = visitor.open();
    for (const text of texts) visitor.send(target, text);
    this.clock.advance(5_000);
    return visitor;
  }

  #client(deps: Partial<ClientDeps> & Pick<ClientDeps, 'transport'>): ChatClient {
    return new ChatClient({
      clock: this.clock,
      random: this.random,
      newId: () => `client-id-${(this.#ids += 1)}`,
      wakeSignal: (wake) => {
        this.wake = wake;
        return () => undefined;
      },
      ...deps,
    });
  }
}

/** Bodies of the events of a client's first conversation, in the client's order. */
export function bodies(client: ChatClient): string[] {
  return client.snapshot().conversations[0]?.events.map(({ body }) => body) ?? [];
}

export function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`expected one item, have ${items.length}`);
  return item;
}

export function conversationOf(client: ChatClient): Snapshot['conversations'][number] {
  return only(client.snapshot().conversations);
}
