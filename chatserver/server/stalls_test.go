// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"sync"
	"testing"
	"time"
)

// stalls knows when this process got no time to run at all: on a machine with much else to do, or one that was
// suspended, that is no delay of the server's.
type stalls struct {
	mu    sync.Mutex
	spans []span
}

type span struct{ from, to time.Time }

const (
	stallTick = 10 * time.Millisecond
	// stallAfter is when a tick is so late that nothing else can have run in time either.
	stallAfter = 250 * time.Millisecond
)

// watchStalls looks until the test ends.
func watchStalls(t *testing.T) *stalls {
	t.Helper()
	s := &stalls{}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for last := time.Now(); ; {
			select {
			case <-done:
				return
			case <-time.After(stallTick):
			}
			now := time.Now()
			if now.Sub(last) > stallAfter {
				s.add(span{last.Add(stallTick), now})
			}
			last = now
		}
	}()
	t.Cleanup(func() { close(done); <-ended })
	return s
}

func (s *stalls) add(stalled span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = append(s.spans, stalled)
}

// between is how much of a time was stalled.
func (s *stalls) between(from, to time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum time.Duration
	for _, stalled := range s.spans {
		begin, end := stalled.from, stalled.to
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		sum += max(0, end.Sub(begin))
	}
	return sum
}
