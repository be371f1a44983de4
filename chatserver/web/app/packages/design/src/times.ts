// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { text } from './text';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });
const shortCalendar = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** Hours and minutes. Times are milliseconds since the Unix epoch, shown in the reader's zone and language. */
export function clockTime(at: number): string {
  return clock.format(at);
}

/** The day in words. */
export function dayName(at: number, now: number): string {
  return sameDay(at, now) ? text.today : calendar.format(at);
}

/** As short as it can be and still be clear: a time today, a date before. */
export function briefTime(at: number, now: number): string {
  return sameDay(at, now) ? clockTime(at) : shortCalendar.format(at);
}

export function sameDay(one: number, other: number): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString();
}
