// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	testclock "k8s.io/utils/clock/testing"

	"github.com/chattenant/chattenant/chatserver/search"
	"github.com/chattenant/chattenant/chatserver/store"
)

// script answers each call of Index with its next line and notes what was asked.
type script struct {
	clock   *testclock.FakeClock
	written chan struct{}
	calls   chan time.Time
	lines   chan line
}

type line struct {
	done store.Indexed
	err  error
	// takes is how long the work lasts.
	takes time.Duration
}

func (s *script) Index(ctx context.Context, since time.Time) (store.Indexed, error) {
	s.calls <- since
	select {
	case l := <-s.lines:
		s.clock.Step(l.takes)
		return l.done, l.err
	case <-ctx.Done():
		return store.Indexed{}, ctx.Err()
	}
}

func (s *script) Written() <-chan struct{} { return s.written }

// runIndexer runs an indexer until the test ends.
func runIndexer(t *testing.T) (*script, *prometheus.Registry) {
	t.Helper()
	s := &script{
		clock: testclock.NewFakeClock(noon), written: make(chan struct{}, 1),
		calls: make(chan time.Time), lines: make(chan line),
	}
	registry := prometheus.NewRegistry()
	indexer := search.NewIndexer(s, s.clock, slog.New(slog.DiscardHandler), search.NewMetrics(registry))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); indexer.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s, registry
}

// next lets time pass until the indexer looks, answers, and returns what it looked for and after how long.
func (s *script) next(t *testing.T, l line) (since time.Time, waited time.Duration) {
	t.Helper()
	const step = 50 * time.Millisecond
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); {
		select {
		case since := <-s.calls:
			s.lines <- l
			return since, waited
		case <-time.After(time.Millisecond):
		}
		if s.clock.HasWaiters() {
			s.clock.Step(step)
			waited += step
		}
	}
	t.Fatal("the indexer never looked")
	return time.Time{}, 0
}

func TestTheIndexerLooksAtEverythingFirstAndThenAtTheLatest(t *testing.T) {
	s, registry := runIndexer(t)
	var asked []time.Time
	for _, l := range []line{
		// The key is learned of: whatever another one indexed is to be done anew.
		{done: store.Indexed{At: noon, Key: 7, Events: 250, Backlog: 100, More: true}},
		{done: store.Indexed{At: noon, Key: 7, Events: 100}},
		{done: store.Indexed{At: noon.Add(time.Minute), Key: 7, Events: 1}},
		{done: store.Indexed{At: noon.Add(2 * time.Minute), Key: 8}},
		{done: store.Indexed{At: noon.Add(3 * time.Minute), Key: 8, Events: 351, Backlog: 3, Unreadable: 2}},
	} {
		since, _ := s.next(t, l)
		asked = append(asked, since)
	}
	const overlap = 30 * time.Second
	want := []time.Time{{}, {}, noon.Add(-overlap), noon.Add(time.Minute - overlap), {}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("looked at what changed since (-want +got):\n%s", diff)
	}
	s.next(t, line{done: store.Indexed{Elsewhere: true}})
	for name, want := range map[string]float64{
		"chattenant_search_backlog_events": 3, "chattenant_search_indexed_events_total": 702,
		"chattenant_search_unreadable_events_total": 2, "chattenant_search_index_errors_total": 0,
	} {
		if got := value(t, registry, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func value(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if metric := family.GetMetric()[0]; family.GetName() == name {
			return metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func TestTheIndexerLeavesTheMachineToTheChats(t *testing.T) {
	s, _ := runIndexer(t)
	busy := line{done: store.Indexed{Key: 7, More: true}, takes: 2 * time.Second}
	s.next(t, busy)
	for range 3 {
		if _, waited := s.next(t, busy); waited < 6*time.Second {
			t.Errorf("after 2 s of work it pauses %v", waited)
		}
	}
}

func TestTheIndexerTriesAgain(t *testing.T) {
	s, registry := runIndexer(t)
	s.next(t, line{done: store.Indexed{Key: 7, More: true}})
	for _, l := range []line{{err: errors.New("the database is away")}, {done: store.Indexed{Elsewhere: true}}} {
		s.next(t, l)
	}
	if since, waited := s.next(t, line{done: store.Indexed{At: noon, Key: 7}}); !since.IsZero() || waited > 2*time.Second {
		t.Errorf("after %v it looked at what changed since %v", waited, since)
	}
	if got := value(t, registry, "chattenant_search_index_errors_total"); got != 1 {
		t.Errorf("%v failures", got)
	}
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("waited in vain until %s", what)
}

func TestTheIndexerIsWokenByWhatIsWritten(t *testing.T) {
	s, _ := runIndexer(t)
	idle := line{done: store.Indexed{At: noon, Key: 7}}
	s.next(t, idle)
	s.next(t, idle)
	if _, waited := s.next(t, idle); waited < 29*time.Second {
		t.Errorf("with nothing written it looked again after %v", waited)
	}
	s.written <- struct{}{}
	// The pause begins once the indexer was woken, beside the wait that it was woken from.
	waitUntil(t, "the indexer is awake", func() bool { return s.clock.Waiters() == 2 })
	if _, waited := s.next(t, idle); waited > time.Second {
		t.Errorf("what was written waited %v", waited)
	}
}
