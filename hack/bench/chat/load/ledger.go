// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"sync"
	"sync/atomic"
	"time"
)

// Ledger has a line for each message of a run: when it left, was acknowledged and was delivered.
type Ledger struct {
	// First is the number of the first message.
	First int64

	now   func() time.Time
	start time.Time
	lines []line

	sent, acked, delivered, refused, strays atomic.Int64

	mu       sync.Mutex
	refusals map[string]int
}

// line holds nanoseconds since the start, 0 for what has not happened.
type line struct{ sent, acked, delivered, refused atomic.Int64 }

// NewLedger makes a ledger for messages numbered from first.
func NewLedger(first int64, messages int, now func() time.Time) *Ledger {
	return &Ledger{First: first, now: now, start: now(), lines: make([]line, messages), refusals: map[string]int{}}
}

// restart sets the moment from which everything counts.
func (l *Ledger) restart() { l.start = l.now() }

func (l *Ledger) since() int64 { return max(1, int64(l.now().Sub(l.start))) }

// line finds a message's line, and counts those that are none of this run's.
func (l *Ledger) line(n int64) *line {
	if n < l.First || n >= l.First+int64(len(l.lines)) {
		l.strays.Add(1)
		return nil
	}
	return &l.lines[n-l.First]
}

func (l *Ledger) leave(i int) {
	l.lines[i].sent.Store(l.since())
	l.sent.Add(1)
}

// Acked notes that the server promised to keep message n.
func (l *Ledger) Acked(n int64) {
	if line := l.line(n); line != nil && line.acked.CompareAndSwap(0, l.since()) {
		l.acked.Add(1)
	}
}

// Delivered notes that the other side has message n.
func (l *Ledger) Delivered(n int64) {
	if line := l.line(n); line != nil && line.delivered.CompareAndSwap(0, l.since()) {
		l.delivered.Add(1)
	}
}

// Refused notes that the server will not have message n, and the code it gave.
func (l *Ledger) Refused(n int64, code string) {
	line := l.line(n)
	if line == nil || !line.refused.CompareAndSwap(0, l.since()) {
		return
	}
	l.refused.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals[code]++
}

// AckCount is the number of messages acknowledged so far.
func (l *Ledger) AckCount() int64 { return l.acked.Load() }

// waiting is the number of messages that left and have no answer.
func (l *Ledger) waiting() int64 { return l.sent.Load() - l.acked.Load() - l.refused.Load() }

// settled tells whether every message is answered, and delivered if it was acknowledged.
func (l *Ledger) settled() bool { return l.waiting() <= 0 && l.delivered.Load() >= l.acked.Load() }

// AckedNumbers calls yield with the number of each acknowledged message.
func (l *Ledger) AckedNumbers(yield func(int64)) {
	for i := range l.lines {
		if l.lines[i].acked.Load() > 0 {
			yield(l.First + int64(i))
		}
	}
}
