// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

const longLease = time.Hour

func crowd(n int) []protocol.Participant {
	people := make([]protocol.Participant, n)
	for i := range people {
		people[i] = protocol.Participant{Kind: protocol.Visitor, ID: uuid.New()}
	}
	return people
}

// elsewhere is how many a store sees at other replicas.
func elsewhere(t *testing.T, s *store.Store) int {
	t.Helper()
	people, err := s.AllPresentElsewhere(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(people)
}

// ear gathers what is said about presence.
type ear struct {
	store.Listener
	connected  chan struct{}
	mu         sync.Mutex
	ids        map[uuid.UUID]bool
	everything int
}

func (e *ear) Connected(context.Context) { close(e.connected) }

func (e *ear) PresenceMoved(_ context.Context, ids []uuid.UUID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(ids) == 0 {
		e.everything++
	}
	for _, id := range ids {
		e.ids[id] = true
	}
}

func (e *ear) heard() (named, everything int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.ids), e.everything
}

func listenWith(t *testing.T, s *store.Store) *ear {
	t.Helper()
	e := &ear{connected: make(chan struct{}), ids: map[uuid.UUID]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Listen(ctx, e) }()
	t.Cleanup(func() { cancel(); <-done })
	<-e.connected
	return e
}

func TestPresenceIsToldHoweverManyComeAtOnce(t *testing.T) {
	db := storetest.New(t)
	here, there := db.Open(t), db.Open(t)
	e := listenWith(t, there)
	if err := here.RestorePresence(t.Context(), longLease, nil); err != nil {
		t.Fatal(err)
	}
	total, named := 0, 0
	for _, n := range []int{1, 200, 201, 2000, 10_000} {
		people := crowd(n)
		if err := here.KeepPresence(t.Context(), longLease, people, nil); err != nil {
			t.Fatalf("%d people: %v", n, err)
		}
		// The same again is the same.
		if err := here.KeepPresence(t.Context(), longLease, people[:1], nil); err != nil {
			t.Fatal(err)
		}
		total += n
		if n <= 2000 {
			named += n
		} else {
			named++
		}
		if got := elsewhere(t, there); got != total {
			t.Errorf("%d are seen elsewhere, want %d", got, total)
		}
	}
	if got := elsewhere(t, here); got != 0 {
		t.Errorf("a replica takes %d of its own for others'", got)
	}
	// Once for the lease, once for the ten thousand.
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if n, everything := e.heard(); n == named && everything == 2 {
			return
		}
	}
	n, everything := e.heard()
	t.Errorf("heard of %d by name and %d times of everybody, want %d and 2", n, everything, named)
}

func TestPresenceHoldsOnlyAsLongAsTheLease(t *testing.T) {
	const lease = 300 * time.Millisecond
	db := storetest.New(t)
	here, there := db.Open(t), db.Open(t)
	people := crowd(3)
	if err := here.KeepPresence(t.Context(), longLease, people, nil); !errors.Is(err, store.ErrLapsed) {
		t.Fatalf("without a lease: %v", err)
	}
	if got := elsewhere(t, there); got != 0 {
		t.Errorf("%d are seen of a replica without a lease", got)
	}
	if err := here.RestorePresence(t.Context(), longLease, people); err != nil {
		t.Fatal(err)
	}
	if err := here.KeepPresence(t.Context(), lease, nil, people[:1]); err != nil {
		t.Fatal(err)
	}
	replicas, err := there.OtherReplicas(t.Context())
	if err != nil || len(replicas) > 1 {
		t.Fatalf("%d replicas, %v", len(replicas), err)
	}
	time.Sleep(2 * lease)
	if replicas, err = there.OtherReplicas(t.Context()); err != nil || len(replicas) != 0 || elsewhere(t, there) != 0 {
		t.Errorf("after the lease: %d replicas, %v", len(replicas), err)
	}
	if err := here.KeepPresence(t.Context(), lease, nil, nil); !errors.Is(err, store.ErrLapsed) {
		t.Errorf("a lease that has run out is renewed: %v", err)
	}
	if err := here.RestorePresence(t.Context(), longLease, people[:2]); err != nil || elsewhere(t, there) != 2 {
		t.Errorf("after the return: %v", err)
	}
}

func TestPresenceOfReplicasLongGoneIsForgotten(t *testing.T) {
	db := storetest.New(t)
	gone, here := db.Open(t), db.Open(t)
	if err := gone.RestorePresence(t.Context(), longLease, crowd(3)); err != nil {
		t.Fatal(err)
	}
	admin := db.Admin(t)
	if _, err := admin.Exec(t.Context(), `UPDATE presence_lease SET until = now() - interval '2 minutes'`); err != nil {
		t.Fatal(err)
	}
	if err := here.RestorePresence(t.Context(), longLease, crowd(2)); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM presence`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestCompanyIsWhoHasReadAndWhichAgentsHaveWritten(t *testing.T) {
	s := storetest.New(t).Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	other, _ := newConversation(t, s, store.Contact{})
	var agents []store.Author
	for _, name := range []string{"grace", "ada"} {
		a, err := s.EnsureAgent(t.Context(), redacted.New(name+"@example.org"), redacted.New(name))
		if err != nil {
			t.Fatal(err)
		}
		agents = append(agents, store.Author{Kind: protocol.Agent, ID: a.ID, DisplayName: a.DisplayName})
	}
	say(t, s, c, visitor, "one", "two")
	say(t, s, c, agents[0], "three", "four")
	say(t, s, other, agents[1], "one")
	receipt := store.Receipt{
		Participation: store.Participation{Conversation: c.ID, Kind: protocol.Agent, ID: agents[1].ID}, Delivered: 3, Read: 2,
	}
	if err := s.Tell(t.Context(), store.Signals{Receipts: []store.Receipt{receipt}}); err != nil {
		t.Fatal(err)
	}
	receipts, wrote, err := s.Company(t.Context(), []uuid.UUID{c.ID})
	if err != nil || len(receipts) != 1 || receipts[0] != receipt {
		t.Errorf("receipts %+v, %v", receipts, err)
	}
	want := store.Participation{Conversation: c.ID, Kind: protocol.Agent, ID: agents[0].ID}
	if len(wrote) != 1 || wrote[0] != want {
		t.Errorf("wrote: %+v, want %+v", wrote, want)
	}
}
