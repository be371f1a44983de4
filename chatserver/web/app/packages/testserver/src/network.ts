// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { Participant, Transport } from '@chattenant/protocol';
import type { FakeClock } from './clock';
import type { Engine, Session } from './engine';

/** A network in memory between clients and one engine: frames take time, and connections break. */
export class Network {
  /** One way, in milliseconds. */
  latencyMs = 10;
  /** Connections fail to open, as if the server were gone. */
  down = false;
  /** Frames vanish while connections seem to stand, as behind a dead NAT. */
  silent = false;
  /** Connections tried so far. */
  attempts = 0;
  readonly #clock: FakeClock;
  readonly #engine: Engine;

  constructor(clock: FakeClock, engine: Engine) {
    this.#clock = clock;
    this.#engine = engine;
  }

  transport(agent?: Participant): Transport {
    return (events) => {
      this.attempts += 1;
      let session: Session | undefined;
      let open = true;
      // What was sent before an orderly close still arrives; a crash takes it along.
      let listening = true;
      const later = (task: () => void) => this.#clock.after(this.latencyMs, task);
      const close = (code: number) => {
        if (!open) return;
        open = false;
        listening = code !== 1006;
        session?.closed();
        later(() => {
          events.closed(code);
        });
      };
      const deliver = (text: string) =>
        later(() => {
          if (listening && !this.silent) events.received(text);
        });
      later(() => {
        if (this.down) {
          close(1006);
        } else if (open) {
          session = this.#engine.connect({ send: (frame) => deliver(JSON.stringify(frame)), close }, agent);
          events.opened();
        }
      });
      return {
        send: (text) =>
          later(() => {
            if (open && !this.silent) session?.receive(text);
          }),
        close: () => {
          close(1000);
        },
      };
    };
  }
}
