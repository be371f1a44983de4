// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// brisk makes who is gone offline within a second or three.
var brisk = conversation.PresenceTiming{
	Grace: 600 * time.Millisecond, Lease: 2 * time.Second, Renew: 300 * time.Millisecond,
}

// patient is for what must not be told: long enough for a machine with much else to do.
var patient = conversation.PresenceTiming{
	Grace: 4 * time.Second, Lease: 9 * time.Second, Renew: 300 * time.Millisecond,
}

// house is who is there as one subscription was told.
type house struct {
	available *bool
	people    map[seat]bool
	// farewells counts how often somebody who was online was said to be no longer.
	farewells int
	// frames is how many frames it took.
	frames int
}

// seat is somebody in a conversation, or, with no conversation, at all.
type seat struct{ conversation, person uuid.UUID }

func (r *reader) house() house {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := house{people: map[seat]bool{}}
	for _, f := range r.frames {
		p, ok := f.(*protocol.Presence)
		if !ok {
			continue
		}
		h.frames++
		if p.Available != nil {
			h.available = p.Available
		}
		for _, a := range p.People {
			s := seat{person: a.ID}
			if a.Conversation != nil {
				s.conversation = *a.Conversation
			}
			if h.people[s] && !a.Online {
				h.farewells++
			}
			h.people[s] = a.Online
		}
	}
	return h
}

func (r *reader) waitOnline(t *testing.T, conversation uuid.UUID, who identity.Principal, online bool) {
	t.Helper()
	waitUntil(t, fmt.Sprintf("the %s is online: %t", who.Kind, online), func() bool {
		return r.house().people[seat{conversation, who.ID}] == online
	})
}

func (r *reader) waitAvailable(t *testing.T, available bool) {
	t.Helper()
	waitUntil(t, fmt.Sprintf("the visitor knows that someone is there: %t", available), func() bool {
		got := r.house().available
		return got != nil && *got == available
	})
}

// leave ends the subscription as a socket that closes does.
func (r *reader) leave(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.closed; !errors.Is(err, context.Canceled) {
		t.Errorf("the subscription ended with %v", err)
	}
}

// replicas are engines that share a database, with their presence timed by timing.
func replicas(t *testing.T, timing conversation.PresenceTiming) (s *store.Store, a, b *conversation.Engine) {
	t.Helper()
	db := storetest.New(t)
	s = db.Open(t)
	a, _ = launchTimed(t, s, timing)
	b, _ = launchTimed(t, db.Open(t), timing)
	return s, a, b
}

func TestAgentsSeeVisitorsAndColleaguesOfEveryReplica(t *testing.T) {
	s, a, b := replicas(t, brisk)
	visitor, agent, colleague := newVisitor(t, s), newAgent(t, s, "grace"), newAgent(t, s, "ada")
	c := openConversation(t, a, visitor)
	g := subscribe(t, b, agent, nil)
	v, k := subscribe(t, a, visitor, nil), subscribe(t, a, colleague, nil)
	g.waitOnline(t, c, visitor, true)
	g.waitOnline(t, uuid.Nil, colleague, true)
	k.waitOnline(t, c, visitor, true)
	k.waitOnline(t, uuid.Nil, agent, true)
	// Who comes later is told what is.
	late := subscribe(t, b, agent, nil)
	late.waitOnline(t, c, visitor, true)
	late.waitOnline(t, uuid.Nil, colleague, true)
	v.leave(t)
	k.leave(t)
	g.waitOnline(t, c, visitor, false)
	g.waitOnline(t, uuid.Nil, colleague, false)
	if _, told := g.house().people[seat{uuid.Nil, agent.ID}]; told {
		t.Error("an agent is told of themselves")
	}
}

func TestAConversationOpenedLaterShowsItsVisitor(t *testing.T) {
	s, a, b := replicas(t, brisk)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	g, _ := subscribe(t, b, agent, nil), subscribe(t, a, visitor, nil)
	c := openConversation(t, a, visitor)
	g.waitOnline(t, c, visitor, true)
}

func TestVisitorsLearnWhetherAnyoneIsThereAndOfNobodyButThoseWhoWroteToThem(t *testing.T) {
	s, a, b := replicas(t, brisk)
	visitor, other := newVisitor(t, s), newVisitor(t, s)
	wrote, silent := newAgent(t, s, "grace"), newAgent(t, s, "ada")
	c, elsewhere := openConversation(t, a, visitor), openConversation(t, a, other)
	v, o := subscribe(t, a, visitor, nil), subscribe(t, a, other, nil)
	v.waitAvailable(t, false)
	if a.Available() || b.Available() {
		t.Error("an agent is there before any came")
	}
	quiet, g := subscribe(t, b, silent, nil), subscribe(t, b, wrote, nil)
	v.waitAvailable(t, true)
	o.waitAvailable(t, true)
	waitUntil(t, "both replicas know that someone is there", func() bool { return a.Available() && b.Available() })
	mustSend(t, b, wrote, c, "hello")
	v.waitOnline(t, c, wrote, true)
	mustSend(t, b, silent, elsewhere, "hello")
	o.waitOnline(t, elsewhere, silent, true)
	// A connection that was not there when the agent wrote.
	again := subscribe(t, b, visitor, map[uuid.UUID]protocol.Cursor{c: {Epoch: b.Epoch(), Seq: 1}})
	again.waitOnline(t, c, wrote, true)
	g.leave(t)
	v.waitOnline(t, c, wrote, false)
	again.waitOnline(t, c, wrote, false)
	quiet.leave(t)
	v.waitAvailable(t, false)
	for name, r := range map[string]*reader{"visitor": v, "visitor who came back": again} {
		for s := range r.house().people {
			if s != (seat{c, wrote.ID}) {
				t.Errorf("the %s was told of %v", name, s)
			}
		}
	}
	for s := range o.house().people {
		if s != (seat{elsewhere, silent.ID}) {
			t.Errorf("the other visitor was told of %v", s)
		}
	}
}

func TestTheLastSocketOnAnyReplicaCounts(t *testing.T) {
	s, a, b := replicas(t, patient)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	c := openConversation(t, a, visitor)
	g := subscribe(t, a, agent, nil)
	first, second, third := subscribe(t, a, visitor, nil), subscribe(t, b, visitor, nil), subscribe(t, b, visitor, nil)
	g.waitOnline(t, c, visitor, true)
	for _, r := range []*reader{first, second} {
		r.leave(t)
		time.Sleep(patient.Grace + time.Second)
		if g.house().farewells != 0 {
			t.Fatal("a visitor with an open socket was called offline")
		}
	}
	third.leave(t)
	g.waitOnline(t, c, visitor, false)
}

func TestAReconnectIsNotSeenByAnyone(t *testing.T) {
	s, a, b := replicas(t, patient)
	visitor, agent, watcher := newVisitor(t, s), newAgent(t, s, "grace"), newAgent(t, s, "ada")
	c := openConversation(t, a, visitor)
	mustSend(t, a, agent, c, "hello")
	w := subscribe(t, b, watcher, nil)
	v, g := subscribe(t, a, visitor, nil), subscribe(t, a, agent, nil)
	w.waitOnline(t, c, visitor, true)
	w.waitOnline(t, uuid.Nil, agent, true)
	stays := subscribe(t, a, visitor, nil)
	stays.waitOnline(t, c, agent, true)
	stays.leave(t)
	for _, next := range []*conversation.Engine{a, b, a, b} {
		v.leave(t)
		g.leave(t)
		time.Sleep(300 * time.Millisecond)
		v, g = subscribe(t, next, visitor, nil), subscribe(t, next, agent, nil)
		v.waitOnline(t, c, agent, true)
	}
	time.Sleep(patient.Grace + time.Second)
	if n := w.house().farewells; n != 0 {
		t.Errorf("the watcher was told %d times that somebody left", n)
	}
	if h := v.house(); !*h.available || h.farewells != 0 {
		t.Errorf("the visitor was told %+v", h)
	}
}

func TestAReplicaThatDiesLeavesNoGhosts(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	a, kill := launchTimed(t, s, brisk)
	b, _ := launchTimed(t, db.Open(t), brisk)
	visitor, agent, colleague := newVisitor(t, s), newAgent(t, s, "grace"), newAgent(t, s, "ada")
	c := openConversation(t, a, visitor)
	mustSend(t, a, agent, c, "hello")
	// The sockets of a replica that dies are never closed: nobody is left to note it.
	subscribe(t, a, visitor, nil)
	subscribe(t, a, colleague, nil)
	g, v := subscribe(t, b, agent, nil), subscribe(t, b, visitor, nil)
	v.leave(t)
	g.waitOnline(t, c, visitor, true)
	g.waitOnline(t, uuid.Nil, colleague, true)
	kill()
	start := time.Now()
	g.waitOnline(t, c, visitor, false)
	g.waitOnline(t, uuid.Nil, colleague, false)
	t.Logf("gone after %v, promised within %v", time.Since(start).Round(time.Millisecond),
		brisk.Lease+brisk.Renew+brisk.Grace)
	// Who came back elsewhere stays, whatever becomes of the dead one's rows.
	subscribe(t, b, visitor, nil)
	g.waitOnline(t, c, visitor, true)
}

// severed is a store that can be cut off from the database's news of presence, as by a partition.
type severed struct {
	*store.Store
	cut *atomic.Bool
}

var errSevered = errors.New("severed")

func (s severed) KeepPresence(ctx context.Context, lease time.Duration, came, left []protocol.Participant) error {
	if s.cut.Load() {
		return errSevered
	}
	return s.Store.KeepPresence(ctx, lease, came, left)
}

func (s severed) OtherReplicas(ctx context.Context) ([]uuid.UUID, error) {
	if s.cut.Load() {
		return nil, errSevered
	}
	return s.Store.OtherReplicas(ctx)
}

func (s severed) PresentElsewhere(ctx context.Context, ids []uuid.UUID) ([]protocol.Participant, error) {
	if s.cut.Load() {
		return nil, errSevered
	}
	return s.Store.PresentElsewhere(ctx, ids)
}

func TestASeveredReplicaNeitherKeepsGhostsNorIsOneAndComesBack(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	var cut atomic.Bool
	a, _ := launchTimed(t, s, brisk)
	b, _ := launchTimed(t, severed{db.Open(t), &cut}, brisk)
	here, there := newAgent(t, s, "grace"), newAgent(t, s, "ada")
	g, k := subscribe(t, a, here, nil), subscribe(t, b, there, nil)
	g.waitOnline(t, uuid.Nil, there, true)
	k.waitOnline(t, uuid.Nil, here, true)
	cut.Store(true)
	g.waitOnline(t, uuid.Nil, there, false)
	k.waitOnline(t, uuid.Nil, here, false)
	cut.Store(false)
	g.waitOnline(t, uuid.Nil, there, true)
	k.waitOnline(t, uuid.Nil, here, true)
}

func TestACrashOfTheDatabaseForgetsNobodyWhoIsThere(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	a, _ := launchTimed(t, s, brisk)
	b, _ := launchTimed(t, db.Open(t), brisk)
	visitor, agent, leaver := newVisitor(t, s), newAgent(t, s, "grace"), newAgent(t, s, "ada")
	c := openConversation(t, a, visitor)
	subscribe(t, a, visitor, nil)
	g, l := subscribe(t, b, agent, nil), subscribe(t, a, leaver, nil)
	g.waitOnline(t, c, visitor, true)
	g.waitOnline(t, uuid.Nil, leaver, true)
	db.Cluster.Kill()
	l.leave(t)
	db.Cluster.Start(t)
	g.waitOnline(t, uuid.Nil, leaver, false)
	g.waitOnline(t, c, visitor, true)
	admin := db.Admin(t)
	waitUntil(t, "both replicas have told who is there", func() bool {
		var rows int
		err := admin.QueryRow(t.Context(), `SELECT count(*) FROM presence`).Scan(&rows)
		return err == nil && rows == 2
	})
}

func TestPresenceIsReadThoughNoNotificationComes(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	a, _ := launchTimed(t, s, brisk)
	b, _ := launchTimed(t, deaf{db.Open(t)}, brisk)
	here, there := newAgent(t, s, "grace"), newAgent(t, s, "ada")
	k := subscribe(t, b, there, nil)
	g := subscribe(t, a, here, nil)
	k.waitOnline(t, uuid.Nil, here, true)
	g.leave(t)
	k.waitOnline(t, uuid.Nil, here, false)
}

func TestACrowdThatComesAtOnceIsToldInFewFrames(t *testing.T) {
	const crowd = 300
	s, a, b := replicas(t, brisk)
	agents := []*reader{subscribe(t, a, newAgent(t, s, "grace"), nil), subscribe(t, b, newAgent(t, s, "ada"), nil)}
	visitors, conversations := make([]identity.Principal, crowd), make([]uuid.UUID, crowd)
	for i := range crowd {
		visitors[i] = newVisitor(t, s)
		conversations[i] = openConversation(t, a, visitors[i])
	}
	for _, r := range agents {
		waitUntil(t, "the agents know the conversations", func() bool { return r.announced() >= crowd })
	}
	before := map[*reader]int{}
	for _, r := range agents {
		waitUntil(t, "the agents know that nobody is there", func() bool { return len(r.house().people) > crowd })
		before[r] = r.house().frames
	}
	begun := time.Now()
	readers := make([]*reader, crowd)
	for i := range crowd {
		readers[i] = subscribe(t, []*conversation.Engine{a, b}[i%2], visitors[i], nil)
	}
	for _, r := range agents {
		for i := range crowd {
			r.waitOnline(t, conversations[i], visitors[i], true)
		}
		// The slower the machine the longer they take to come, and the more often there is something to tell.
		most := crowd/8 + int(time.Since(begun)/conversation.PresenceInterval)
		if n := r.house().frames - before[r]; n > most {
			t.Errorf("an agent got %d frames for %d visitors, more than %d", n, crowd, most)
		}
	}
	for _, r := range readers {
		r.waitAvailable(t, true)
		if h := r.house(); h.frames != 1 || len(h.people) != 0 {
			t.Fatalf("a visitor got %d frames about %d people", h.frames, len(h.people))
		}
	}
}

func TestAnOlderConversationComesWithItsReceipts(t *testing.T) {
	const window = 200
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	c := openConversation(t, e, visitor)
	mustSend(t, e, visitor, c, "one")
	v := attend(t, e, visitor)
	v.waitFor(t, c, 1)
	v.sub.Receipt(&protocol.Receipt{Conversation: c, Delivered: 1, Read: 1})
	waitUntil(t, "the receipt is stored", func() bool {
		receipts, err := s.Receipts(t.Context(), []uuid.UUID{c})
		return err == nil && len(receipts) == 1
	})
	for range window {
		openConversation(t, e, newVisitor(t, s))
	}
	g := attend(t, e, agent)
	waitUntil(t, "the agent is told of the latest", func() bool { return g.announced() >= window })
	mustSend(t, e, agent, c, "two")
	g.waitReceipt(t, visitor, 1, 1)
	g.waitOnline(t, c, visitor, true)
}
