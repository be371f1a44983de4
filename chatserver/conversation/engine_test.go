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
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestVisitorAndAgentReadTheSameConversation(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	agentReader, visitorReader := subscribe(t, e, agent, nil), subscribe(t, e, visitor, nil)
	c := openConversation(t, e, visitor)
	if ack := mustSend(t, e, visitor, c, "hello"); ack.Seq != 1 {
		t.Errorf("first message has seq %d", ack.Seq)
	}
	mustSend(t, e, agent, c, "good day")
	for name, r := range map[string]*reader{"agent": agentReader, "visitor": visitorReader} {
		events := r.waitFor(t, c, 2)
		if got := events[0].Body.Reveal() + "|" + events[1].Body.Reveal(); got != "hello|good day" {
			t.Errorf("%s reads %q", name, got)
		}
		if got := events[1].Author.DisplayName.Reveal(); got != "grace" {
			t.Errorf("%s sees the agent as %q", name, got)
		}
	}
}

func TestAnAckComesOnlyAfterTheCommit(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	admin := db.Admin(t)
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM conversation WHERE id = $1 FOR UPDATE`, c); err != nil {
		t.Fatal(err)
	}
	acked := make(chan protocol.Frame, 1)
	message := &protocol.Send{Conversation: c, ClientID: uuid.New(), Body: protocol.NewText("hello")}
	e.Submit(visitor, message, func(f protocol.Frame) { acked <- f })
	awaitHeldWriter(t, db)
	select {
	case f := <-acked:
		t.Fatalf("answered %+v while the commit could not happen", f)
	case <-time.After(300 * time.Millisecond):
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	ack, ok := (<-acked).(*protocol.Ack)
	if !ok {
		t.Fatal("the message was not acknowledged after the lock went away")
	}
	var stored int64
	err = admin.QueryRow(t.Context(), `SELECT seq FROM event WHERE client_id = $1`, message.ClientID).Scan(&stored)
	if err != nil || stored != ack.Seq {
		t.Errorf("at the time of the ack the row is seq=%d, %v; want %d", stored, err, ack.Seq)
	}
}

func TestAResendReturnsTheFirstResult(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c, clientID := openConversation(t, e, visitor), uuid.New()
	first, ok := send(t, e, visitor, c, clientID, "hello").(*protocol.Ack)
	if !ok {
		t.Fatal("not acknowledged")
	}
	mustSend(t, e, visitor, c, "another")
	again, ok := send(t, e, visitor, c, clientID, "hello").(*protocol.Ack)
	if !ok || again.Seq != first.Seq || again.ID != first.ID || !again.At.Equal(first.At.Time) {
		t.Errorf("resend answered %+v, first %+v", again, first)
	}
	r := subscribe(t, e, visitor, nil)
	if events := r.waitFor(t, c, 2); len(events) != 2 {
		t.Errorf("conversation has %d events, want 2", len(events))
	}
}

func TestParallelResendsOnTwoReplicasStoreOneMessage(t *testing.T) {
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	engines := []*conversation.Engine{startEngine(t, one), startEngine(t, two)}
	visitor := newVisitor(t, one)
	c, clientID := openConversation(t, engines[0], visitor), uuid.New()
	answers := make([]protocol.Frame, 40)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = send(t, engines[i%2], visitor, c, clientID, "hello") })
	}
	wg.Wait()
	for i, f := range answers {
		first, firstOK := answers[0].(*protocol.Ack)
		if ack, ok := f.(*protocol.Ack); !ok || !firstOK || ack.Seq != 1 || ack.ID != first.ID {
			t.Errorf("answer %d is %+v, first %+v", i, f, answers[0])
		}
	}
	var rows int
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM event`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestTwoReplicasGiveOneGapFreeOrder has readers and writers on both replicas at once; every reader must see every
// acknowledged message once, at its place.
func TestTwoReplicasGiveOneGapFreeOrder(t *testing.T) {
	const writers, each, conversations = 8, 40, 3
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	engines := []*conversation.Engine{startEngine(t, one), startEngine(t, two)}
	agent := newAgent(t, one, "grace")
	readers := []*reader{subscribe(t, engines[0], agent, nil), subscribe(t, engines[1], agent, nil)}
	var ids []uuid.UUID
	for range conversations {
		visitor := newVisitor(t, one)
		ids = append(ids, openConversation(t, engines[len(ids)%2], visitor))
		readers = append(readers, subscribe(t, engines[len(ids)%2], visitor, nil))
	}
	acks := sendFromAll(t, engines, agent, ids, writers, each)
	for _, id := range ids {
		want := acks[id]
		for i, r := range readers[:2] {
			checkTranscript(t, fmt.Sprintf("agent on replica %d", i), r.waitFor(t, id, int64(len(want))), want)
		}
	}
	for i, id := range ids {
		checkTranscript(t, "visitor", readers[2+i].waitFor(t, id, int64(len(acks[id]))), acks[id])
	}
}

// sendFromAll sends each messages to every conversation from writers goroutines spread over the engines, and returns
// the acks of each conversation by seq.
func sendFromAll(
	t *testing.T, engines []*conversation.Engine, p identity.Principal, ids []uuid.UUID, writers, each int,
) map[uuid.UUID]map[int64]*protocol.Ack {
	t.Helper()
	var mu sync.Mutex
	acks := map[uuid.UUID]map[int64]*protocol.Ack{}
	for _, id := range ids {
		acks[id] = map[int64]*protocol.Ack{}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				id := ids[(n+w)%len(ids)]
				ack := mustSend(t, engines[w%len(engines)], p, id, fmt.Sprintf("message %d of writer %d", n, w))
				mu.Lock()
				if other := acks[id][ack.Seq]; other != nil {
					t.Errorf("seq %d was given to %s and %s", ack.Seq, other.ID, ack.ID)
				}
				acks[id][ack.Seq] = ack
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return acks
}

func checkTranscript(t *testing.T, who string, events []*protocol.Event, acks map[int64]*protocol.Ack) {
	t.Helper()
	if len(events) != len(acks) {
		t.Errorf("%s has %d events, want %d", who, len(events), len(acks))
	}
	for _, event := range events {
		if ack := acks[event.Seq]; ack == nil || ack.ID != event.ID || ack.ClientID != event.ClientID {
			t.Errorf("%s has %s at %d, acknowledged was %+v", who, event.ID, event.Seq, ack)
		}
	}
}

// TestCatchUpHandsOverToLiveWithoutGapOrDuplicate subscribes over and over, at changing cursors, while others send.
func TestCatchUpHandsOverToLiveWithoutGapOrDuplicate(t *testing.T) {
	const total = 200
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	engines := []*conversation.Engine{startEngine(t, one), startEngine(t, two)}
	visitor := newVisitor(t, one)
	c := openConversation(t, engines[0], visitor)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := 0; n < total && ctx.Err() == nil; n++ {
			mustSend(t, engines[n%2], visitor, c, fmt.Sprint(n))
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-sent:
			r := subscribe(t, engines[i%2], visitor, nil)
			r.waitFor(t, c, total)
			return
		default:
		}
		from := int64(0)
		if i%3 > 0 {
			from = subscribe(t, engines[0], visitor, nil).position(t)
		}
		r := subscribe(t, engines[i%2], visitor, map[uuid.UUID]protocol.Cursor{c: {Epoch: engines[0].Epoch(), Seq: from}})
		r.waitFor(t, c, from+5)
		r.stop(t)
	}
}

// position waits for caught_up and says where it was; it ends the subscription.
func (r *reader) position(t *testing.T) int64 {
	t.Helper()
	seq := frameOf[*protocol.CaughtUp](t, r).Seq
	r.stop(t)
	return min(seq, max(seq-5, 0))
}

func (r *reader) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.closed; !errors.Is(err, context.Canceled) {
		t.Errorf("the reader ended with %v", err)
	}
}
