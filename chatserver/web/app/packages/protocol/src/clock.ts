// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/** Cancels a timer; harmless when it has fired. */
export type Cancel = () => void;

/** Time as the client knows it, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Runs the task once, `delayMs` milliseconds from now. */
  after(delayMs: number, task: () => void): Cancel;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** One timer that can be armed again: the former task is dropped. */
export class Alarm {
  readonly #clock: Clock;
  #cancel: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(delayMs: number, task: () => void): void {
    this.clear();
    this.#cancel = this.#clock.after(Math.max(0, delayMs), () => {
      this.#cancel = undefined;
      task();
    });
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
