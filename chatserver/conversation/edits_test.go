// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// submit sends any frame that adds an event and waits for the answer.
func submit(t *testing.T, e *conversation.Engine, p identity.Principal, frame protocol.Submission) protocol.Frame {
	t.Helper()
	answer := make(chan protocol.Frame, 1)
	e.Submit(p, frame, func(f protocol.Frame) { answer <- f })
	select {
	case f := <-answer:
		return f
	case <-time.After(patience):
		t.Fatal("no answer")
		return nil
	}
}

func edit(c, target uuid.UUID, body string) *protocol.Edit {
	return &protocol.Edit{Conversation: c, ClientID: uuid.New(), Target: target, Body: protocol.NewText(body)}
}

func deletion(c, target uuid.UUID) *protocol.Delete {
	return &protocol.Delete{Conversation: c, ClientID: uuid.New(), Target: target}
}

func wantAck(t *testing.T, f protocol.Frame) *protocol.Ack {
	t.Helper()
	ack, ok := f.(*protocol.Ack)
	if !ok {
		t.Fatalf("want an ack, got %+v", f)
	}
	return ack
}

func wantRefusal(t *testing.T, f protocol.Frame, code protocol.Code) {
	t.Helper()
	if e, ok := f.(*protocol.Error); !ok || e.Code != code {
		t.Errorf("want %s, got %+v", code, f)
	}
}

func TestAnEditIsTheNextEventForEveryReader(t *testing.T) {
	s := storetest.New(t).Open(t)
	e := startEngine(t, s)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	c := openConversation(t, e, visitor)
	live := subscribe(t, e, agent, nil)
	said := mustSend(t, e, visitor, c, "helo")
	wantAck(t, submit(t, e, visitor, edit(c, said.ID, "hello")))
	for name, r := range map[string]*reader{"live": live, "later": subscribe(t, e, agent, nil)} {
		events := r.waitFor(t, c, 2)
		if events[0].Kind != protocol.KindMessage || events[0].Body.Reveal() != "helo" || events[0].Erased {
			t.Errorf("%s: the message is %+v", name, events[0])
		}
		last := events[1]
		if last.Kind != protocol.KindEdit || last.Target == nil || *last.Target != said.ID || last.Body.Reveal() != "hello" {
			t.Errorf("%s: the edit is %+v", name, last)
		}
	}
}

func TestADeletionTakesTheTextsOfItsMessageAndItsEditsAway(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	e := startEngine(t, s)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	c := openConversation(t, e, visitor)
	said := mustSend(t, e, visitor, c, "my number is 4242")
	wantAck(t, submit(t, e, visitor, edit(c, said.ID, "my number is 4243")))
	kept := mustSend(t, e, agent, c, "please do not write numbers")
	// Both the cache of the latest events and the database must let go of it.
	subscribe(t, e, agent, nil).waitFor(t, c, 3)
	wantAck(t, submit(t, e, visitor, deletion(c, said.ID)))

	events := subscribe(t, e, agent, nil).waitFor(t, c, 4)
	for i, want := range []struct {
		kind   protocol.EventKind
		body   string
		erased bool
	}{
		{protocol.KindMessage, "", true}, {protocol.KindEdit, "", true},
		{protocol.KindMessage, "please do not write numbers", false}, {protocol.KindDeletion, "", false},
	} {
		if got := events[i]; got.Kind != want.kind || got.Body.Reveal() != want.body || got.Erased != want.erased {
			t.Errorf("event %d: want %+v, got %s %q erased %t", i+1, want, got.Kind, got.Body.Reveal(), got.Erased)
		}
	}
	if events[2].ID != kept.ID || *events[3].Target != said.ID {
		t.Errorf("the deletion is of %v", events[3].Target)
	}
}

func TestOnlyItsAuthorChangesAMessage(t *testing.T) {
	s := storetest.New(t).Open(t)
	e := startEngine(t, s)
	visitor, agent, other := newVisitor(t, s), newAgent(t, s, "grace"), newVisitor(t, s)
	c, elsewhere := openConversation(t, e, visitor), openConversation(t, e, other)
	said := mustSend(t, e, visitor, c, "mine")
	wantRefusal(t, submit(t, e, agent, edit(c, said.ID, "yours")), protocol.Forbidden)
	wantRefusal(t, submit(t, e, agent, deletion(c, said.ID)), protocol.Forbidden)
	// Another visitor learns nothing, not even that the message exists.
	wantRefusal(t, submit(t, e, other, deletion(c, said.ID)), protocol.NotFound)
	wantRefusal(t, submit(t, e, other, deletion(elsewhere, said.ID)), protocol.NotFound)
	wantRefusal(t, submit(t, e, visitor, edit(c, uuid.New(), "nothing")), protocol.NotFound)
	if events := subscribe(t, e, agent, nil).waitFor(t, c, 1); len(events) != 1 {
		t.Errorf("a refused change left %d events", len(events))
	}
}

func TestADeletedMessageIsNotChangedAgainAndAResendIsHarmless(t *testing.T) {
	s := storetest.New(t).Open(t)
	e := startEngine(t, s)
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	said := mustSend(t, e, visitor, c, "gone")
	frame := deletion(c, said.ID)
	first := wantAck(t, submit(t, e, visitor, frame))
	if again := wantAck(t, submit(t, e, visitor, frame)); again.Seq != first.Seq || again.ID != first.ID {
		t.Errorf("the resend gave %+v, the first %+v", again, first)
	}
	wantRefusal(t, submit(t, e, visitor, edit(c, said.ID, "back")), protocol.NotFound)
	wantRefusal(t, submit(t, e, visitor, deletion(c, said.ID)), protocol.NotFound)
	wantRefusal(t, submit(t, e, visitor, edit(c, first.ID, "a deletion has no text")), protocol.NotFound)
}

func TestAnotherReplicaForgetsWhatADeletionTookAway(t *testing.T) {
	db := storetest.New(t)
	here, there := db.Open(t), db.Open(t)
	a, b := startEngine(t, here), startEngine(t, there)
	visitor, agent := newVisitor(t, here), newAgent(t, here, "grace")
	c := openConversation(t, a, visitor)
	remote := subscribe(t, b, agent, nil)
	said := mustSend(t, a, visitor, c, "seen by both")
	remote.waitFor(t, c, 1)
	wantAck(t, submit(t, a, visitor, deletion(c, said.ID)))
	remote.waitFor(t, c, 2)
	if events := subscribe(t, b, agent, nil).waitFor(t, c, 2); !events[0].Erased || events[0].Body.Reveal() != "" {
		t.Errorf("the other replica still says %q", events[0].Body.Reveal())
	}
}
