// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { Alarm, type Clock } from './clock';

/** A conversation that stays behind its head this long without an event has a gap. */
export const GAP_AFTER_MS = 5_000;

/** Watches conversations that are behind the head the server named. */
export class GapWatch {
  readonly #alarms = new Map<string, Alarm>();
  readonly #clock: Clock;
  readonly #onGap: () => void;

  constructor(clock: Clock, onGap: () => void) {
    this.#clock = clock;
    this.#onGap = onGap;
  }

  /** To be told after every head and every event: an event is progress and gives the rest its full time again. */
  observe(conversation: string, behind: boolean, progress: boolean): void {
    const alarm = this.#alarms.get(conversation);
    if (!behind) {
      alarm?.clear();
      this.#alarms.delete(conversation);
    } else if (progress || !alarm) {
      this.#arm(conversation, alarm ?? new Alarm(this.#clock));
    }
  }

  /** A new connection starts from the cursors: nothing is overdue. */
  clear(): void {
    for (const alarm of this.#alarms.values()) alarm.clear();
    this.#alarms.clear();
  }

  #arm(conversation: string, alarm: Alarm): void {
    this.#alarms.set(conversation, alarm);
    alarm.set(GAP_AFTER_MS, () => {
      this.clear();
      this.#onGap();
    });
  }
}
