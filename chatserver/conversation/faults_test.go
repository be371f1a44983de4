// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// TestAnImmediateStopOfTheDatabaseLosesNoAcknowledgedMessage crashes PostgreSQL again and again under senders.
func TestAnImmediateStopOfTheDatabaseLosesNoAcknowledgedMessage(t *testing.T) {
	const crashes, senders = 3, 6
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	r := subscribe(t, e, visitor, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	acks := map[int64]*protocol.Ack{}
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				ack := mustSend(t, e, visitor, c, fmt.Sprintf("%d of %d", n, sender))
				mu.Lock()
				acks[ack.Seq] = ack
				mu.Unlock()
			}
		})
	}
	for range crashes {
		before := count(&mu, acks)
		db.Cluster.Kill()
		time.Sleep(100 * time.Millisecond)
		db.Cluster.Start(t)
		waitUntil(t, "messages flow again", func() bool { return count(&mu, acks) > before+20 })
	}
	cancel()
	wg.Wait()
	checkTranscript(t, "the reader throughout", r.waitFor(t, c, int64(len(acks))), acks)
	var late *reader
	// Connections that the last crash broke are found out one by one, by whoever uses them.
	waitUntil(t, "a reader is let in again", func() bool {
		sub, err := e.Subscribe(t.Context(), visitor, nil)
		if err == nil {
			late = readAll(t, sub, nil)
		}
		return err == nil
	})
	checkTranscript(t, "a reader afterwards", late.waitFor(t, c, int64(len(acks))), acks)
}

func count(mu *sync.Mutex, acks map[int64]*protocol.Ack) int {
	mu.Lock()
	defer mu.Unlock()
	return len(acks)
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("waited %v until %s", patience, what)
}

func TestSendersAreToldWhenTheDatabaseIsAwayAndItMendsItself(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	r := subscribe(t, e, visitor, nil)
	db.Cluster.Kill()
	answer, ok := send(t, e, visitor, c, uuid.New(), "hello").(*protocol.Error)
	if !ok || answer.Code != protocol.Unavailable || answer.RetryAfterMs <= 0 {
		t.Errorf("answered %+v", answer)
	}
	if open, ok := e.Open(t.Context(), visitor, &protocol.Open{ClientID: uuid.New()}).(*protocol.Error); !ok ||
		open.Code != protocol.Unavailable {
		t.Errorf("open answered %+v", open)
	}
	db.Cluster.Start(t)
	mustSend(t, e, visitor, c, "hello again")
	r.waitFor(t, c, 1)
}

func TestACursorOfAnotherHistoryOrAheadIsReset(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	for range 3 {
		mustSend(t, e, visitor, c, "hello")
	}
	cursors := map[string]protocol.Cursor{
		"another epoch": {Epoch: e.Epoch() + 1, Seq: 2},
		"ahead":         {Epoch: e.Epoch(), Seq: 4},
		"negative":      {Epoch: e.Epoch(), Seq: -1},
	}
	for name, cursor := range cursors {
		t.Run(name, func(t *testing.T) {
			r := subscribe(t, e, visitor, map[uuid.UUID]protocol.Cursor{c: cursor})
			if reset := frameOf[*protocol.Reset](t, r); reset.Conversation != c || reset.Epoch != e.Epoch() {
				t.Errorf("reset = %+v", reset)
			}
			if events := r.waitFor(t, c, 3); events[0].Seq != 1 {
				t.Errorf("events start at %d", events[0].Seq)
			}
		})
	}
}

func TestARestoredDatabaseEndsSubscriptionsAndResetsCursors(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	mustSend(t, e, visitor, c, "before")
	r := subscribe(t, e, visitor, nil)
	r.waitFor(t, c, 1)
	cursor := protocol.Cursor{Epoch: e.Epoch(), Seq: 1}
	if _, err := db.Admin(t).Exec(t.Context(), `UPDATE instance SET epoch = epoch + 1`); err != nil {
		t.Fatal(err)
	}
	if ack := mustSend(t, e, visitor, c, "after"); ack.Epoch != cursor.Epoch+1 {
		t.Errorf("ack has epoch %d", ack.Epoch)
	}
	if err := <-r.closed; !errors.Is(err, conversation.ErrRestored) {
		t.Errorf("the subscription ended with %v", err)
	}
	again := subscribe(t, e, visitor, map[uuid.UUID]protocol.Cursor{c: cursor})
	frameOf[*protocol.Reset](t, again)
	if events := again.waitFor(t, c, 2); len(events) != 2 {
		t.Errorf("%d events after the reset", len(events))
	}
}

// deaf is a store whose notifications never arrive.
type deaf struct{ *store.Store }

func (d deaf) Listen(ctx context.Context, l store.Listener) error {
	l.Connected(ctx)
	<-ctx.Done()
	return ctx.Err()
}

func TestALostNotificationIsFoundByThePoll(t *testing.T) {
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	sender, receiver := startEngine(t, one), startEngine(t, deaf{two})
	visitor, agent := newVisitor(t, one), newAgent(t, one, "grace")
	r := subscribe(t, receiver, agent, nil)
	c := openConversation(t, sender, visitor)
	mustSend(t, sender, visitor, c, "hello")
	start := time.Now()
	r.waitFor(t, c, 1)
	t.Logf("found after %v", time.Since(start).Round(time.Millisecond))
}

func TestRevokedSessionsLoseTheirSubscriptions(t *testing.T) {
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	here, there := startEngine(t, one), startEngine(t, two)
	agent, other := newAgent(t, one, "grace"), newAgent(t, one, "ada")
	readers := []*reader{subscribe(t, here, agent, nil), subscribe(t, there, agent, nil)}
	stays := subscribe(t, there, other, nil)
	// The other replica must be listening before there is something to hear.
	visitor := newVisitor(t, one)
	c := openConversation(t, here, visitor)
	mustSend(t, here, visitor, c, "hello")
	stays.waitFor(t, c, 1)
	if err := one.EndSession(t.Context(), agent.Session); err != nil {
		t.Fatal(err)
	}
	here.EndSessions(agent.Session)
	for i, r := range readers {
		select {
		case err := <-r.closed:
			if !errors.Is(err, conversation.ErrRevoked) {
				t.Errorf("subscription %d ended with %v", i, err)
			}
		case <-time.After(patience):
			t.Errorf("subscription %d goes on", i)
		}
	}
	mustSend(t, here, visitor, c, "again")
	stays.waitFor(t, c, 2)
}

func TestAnAgentIsToldOfTheLatestConversationsAndThoseItKnows(t *testing.T) {
	const total = 230
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	agent := newAgent(t, s, "grace")
	var ids []uuid.UUID
	for range total {
		ids = append(ids, openConversation(t, e, newVisitor(t, s)))
	}
	known := map[uuid.UUID]protocol.Cursor{ids[0]: {Epoch: e.Epoch()}}
	r := subscribe(t, e, agent, known)
	waitUntil(t, "the agent is caught up", func() bool { return r.announced() == 201 })
	// One that is neither recent nor known comes back with its next message.
	mustSend(t, e, agent, ids[1], "are you still there?")
	r.waitFor(t, ids[1], 1)
	if n := r.announced(); n != 202 {
		t.Errorf("%d conversations announced", n)
	}
}

func (r *reader) announced() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, f := range r.frames {
		if _, ok := f.(*protocol.Conversation); ok {
			n++
		}
	}
	return n
}

func TestStoppingAnswersEverythingThatWasAccepted(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e, stop := launchEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	const messages = 300
	answers := make(chan protocol.Frame, messages)
	for range messages {
		e.Submit(visitor, &protocol.Send{
			Conversation: c, ClientID: uuid.New(), Body: protocol.NewText("hello"),
		}, func(f protocol.Frame) { answers <- f })
	}
	stop()
	if len(answers) != messages {
		t.Fatalf("%d of %d were answered", len(answers), messages)
	}
	acked := 0
	for range messages {
		if _, ok := (<-answers).(*protocol.Ack); ok {
			acked++
		}
	}
	var rows int
	// A commit that the database was too slow to confirm may have happened all the same.
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM event`).Scan(&rows); err != nil || rows < acked {
		t.Errorf("%d rows for %d acks, %v", rows, acked, err)
	}
	late, ok := send(t, e, visitor, c, uuid.New(), "late").(*protocol.Error)
	if !ok || late.Code != protocol.Unavailable {
		t.Errorf("after the stop a message is answered with %+v", late)
	}
}
