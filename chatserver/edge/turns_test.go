// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestNobodyAsksInVain has many ask at once for a round that does what all have asked for so far.
func TestNobodyAsksInVain(t *testing.T) {
	const askers, times = 8, 2000
	var work turns
	var asked, done atomic.Int64
	var working atomic.Int32
	var workers sync.WaitGroup
	round := func() {
		if working.Add(1) != 1 {
			t.Error("two have the turn")
		}
		done.Store(asked.Load())
		working.Add(-1)
	}
	rounds := func() {
		for round(); work.next(); round() {
		}
	}
	rounds()
	var all sync.WaitGroup
	for range askers {
		all.Go(func() {
			for range times {
				asked.Add(1)
				if work.ask() {
					workers.Go(rounds)
				}
			}
		})
	}
	all.Wait()
	workers.Wait()
	if done.Load() != askers*times {
		t.Errorf("%d of %d were heard", done.Load(), askers*times)
	}
}

func TestStopWaitsForTheTurnThatIsTakenAndThereIsNoOther(t *testing.T) {
	var work turns
	stopped := make(chan struct{})
	var over atomic.Bool
	go func() {
		defer close(stopped)
		work.stop()
		if !over.Load() {
			t.Error("stopped while the turn was taken")
		}
	}()
	for !work.isOver() {
		work.ask()
	}
	over.Store(true)
	if work.next() {
		t.Error("another round after the end")
	}
	<-stopped
	if work.ask() {
		t.Error("another turn after the end")
	}
	work.stop()
}
