// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// script is a conversation of one author, before anything goes wrong.
type script struct {
	*oracle.Oracle
	reader       *oracle.Reader
	conversation uuid.UUID
	author       uuid.UUID
	acks         []*protocol.Ack
	events       []*protocol.Event
	rows         []oracle.Row
	// epoch is that of what comes next; gone is the last row that a restore took away.
	epoch int64
	gone  oracle.Row
}

// begin sends and acknowledges n messages, and shows them to nobody.
func begin(n int) *script {
	s := &script{Oracle: oracle.New(clock.RealClock{}), conversation: uuid.New(), author: uuid.New(), epoch: 1}
	s.reader = s.NewReader("a reader")
	for range n {
		s.Acknowledged(s.next())
	}
	return s
}

// next sends a message and returns the acknowledgement a correct server would give.
func (s *script) next() *protocol.Ack {
	m := oracle.Message{Conversation: s.conversation, Author: s.author, ClientID: uuid.New(), Body: "hello"}
	s.Sending(m)
	seq, id := int64(len(s.acks))+1, uuid.New()
	ack := &protocol.Ack{ClientID: m.ClientID, Conversation: m.Conversation, Epoch: s.epoch, Seq: seq, ID: id}
	s.acks = append(s.acks, ack)
	s.events = append(s.events, &protocol.Event{
		Conversation: m.Conversation, Epoch: s.epoch, Seq: seq, ID: id, Kind: protocol.KindMessage,
		Author: protocol.Person{Kind: protocol.Visitor, ID: m.Author}, ClientID: m.ClientID, Body: protocol.NewText(m.Body),
	})
	s.rows = append(s.rows, oracle.Row{
		Conversation: m.Conversation, Seq: seq, ID: id, Author: m.Author, ClientID: m.ClientID,
	})
	return ack
}

func (s *script) show(events ...*protocol.Event) {
	for _, e := range events {
		s.reader.Event(e)
	}
}

func (s *script) audit() { s.Audit(s.rows, map[uuid.UUID]int64{s.conversation: int64(len(s.rows))}) }

func TestACorrectServerIsFoundToBeCorrect(t *testing.T) {
	s := begin(3)
	s.Acknowledged(s.acks[1])
	s.show(s.events...)
	s.reader.CaughtUp(&protocol.CaughtUp{Conversation: s.conversation, Seq: 3})
	late := s.NewReader("a late reader")
	for _, e := range s.events {
		late.Event(e)
	}
	s.audit()
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("violations: %s", strings.Join(v, "\n"))
	}
	if behind := late.Behind([]uuid.UUID{s.conversation}); behind != "" {
		t.Error(behind)
	}
	if got := s.Summary(); got.Acknowledged != 3 || got.Repeated != 1 {
		t.Errorf("counted %+v", got)
	}
	s.next()
	if s.Unanswered() == "" {
		t.Error("a message without an answer is not missed")
	}
}

func TestEveryBrokenPromiseIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*script)
		want   string
	}{
		"an event twice":   {func(s *script) { s.show(s.events[0], s.events[0]) }, "shown seq 1 after 1"},
		"a gap":            {func(s *script) { s.show(s.events[0], s.events[2]) }, "shown seq 3 after 1"},
		"out of order":     {func(s *script) { s.show(s.events[1], s.events[0]) }, "shown seq 2 after 0"},
		"a needless reset": {breakReset, "was reset at seq 0"},
		"a hollow promise": {breakCaughtUp, "has everything up to 3, and has 0"},
		"another text": {func(s *script) {
			s.events[0].Body = protocol.NewText("bye")
			s.show(s.events[0])
		}, "another text"},
		"another author":    {func(s *script) { s.events[0].Author.ID = uuid.New(); s.show(s.events[0]) }, "did not send"},
		"another id":        {func(s *script) { s.events[0].ID = uuid.New(); s.show(s.events[0]) }, "but"},
		"another message":   {breakSwap, "but"},
		"an invention":      {func(s *script) { s.events[0].ClientID = uuid.New(); s.show(s.events[0]) }, "did not send"},
		"a message twice":   {breakTwice, "is also at seq 1"},
		"another epoch":     {func(s *script) { s.events[0].Epoch = 2; s.show(s.events[0]) }, "nothing was restored"},
		"a resend doubled":  {breakResend, "sent again as seq 4"},
		"a stolen place":    {breakStolen, "but"},
		"back in time":      {breakTime, "sent after seq 3 had been acknowledged"},
		"a false ack":       {func(s *script) { s.Acknowledged(&protocol.Ack{ClientID: uuid.New()}) }, "nobody sent"},
		"a lost row":        {func(s *script) { s.rows = s.rows[:2]; s.audit() }, "is not in the database"},
		"a hole in the log": {func(s *script) { s.rows = append(s.rows[:1], s.rows[2]); s.audit() }, "follows 1"},
		"a false count":     {func(s *script) { s.Audit(s.rows, map[uuid.UUID]int64{s.conversation: 4}) }, "counts 4"},
		"a changed row":     {func(s *script) { s.rows[1].ID = uuid.New(); s.audit() }, "to the database"},
		"a foreign row":     {func(s *script) { s.rows[1].ClientID = uuid.New(); s.audit() }, "did not send"},
		"an unwanted edit":  {breakEdit, "nobody asked for"},
		"an untold erasure": {breakErasure, "another text"},
		"a text that stays": {breakDeletion, "shown what had been deleted"},
		"one row too many":  {func(s *script) { s.next(); s.audit() }, "never acknowledged"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(3)
			c.breaks(s)
			if got := strings.Join(s.Violations(), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("noticed %q, not %q", got, c.want)
			}
		})
	}
}

func breakCaughtUp(s *script) {
	s.reader.CaughtUp(&protocol.CaughtUp{Conversation: s.conversation, Seq: 3})
}

func breakReset(s *script) { s.reader.Reset(&protocol.Reset{Conversation: s.conversation}) }

// breakSwap shows the second message in the first one's place.
func breakSwap(s *script) {
	s.events[1].Seq = 1
	s.show(s.events[1])
}

// breakTwice shows the first message again further on.
func breakTwice(s *script) {
	again := *s.events[0]
	again.Seq = 4
	s.show(append(s.events, &again)...)
}

func breakResend(s *script) {
	again := *s.acks[0]
	again.Seq = 4
	s.Acknowledged(&again)
}

// breakStolen acknowledges a message with the place of another.
func breakStolen(s *script) {
	ack := *s.next()
	ack.Seq = 3
	s.Acknowledged(&ack)
}

// breakTime gives a message a place before one that was acknowledged when it was sent.
func breakTime(s *script) {
	ack := *s.next()
	ack.Seq = 2
	s.Acknowledged(&ack)
}

// change edits or deletes the first message and returns the event a correct server would show.
func (s *script) change(kind protocol.EventKind, body string) *protocol.Event {
	c := &oracle.Change{
		Conversation: s.conversation, Author: s.author, Target: s.events[0].ID, Kind: kind, Body: body,
	}
	s.Changing(c)
	seq := int64(len(s.acks)) + 1
	ack := &protocol.Ack{ClientID: uuid.New(), Conversation: s.conversation, Epoch: s.epoch, Seq: seq, ID: uuid.New()}
	s.Changed(c, ack)
	s.acks = append(s.acks, ack)
	s.events = append(s.events, &protocol.Event{
		Conversation: s.conversation, Epoch: s.epoch, Seq: seq, ID: ack.ID, Kind: kind, Target: &c.Target,
		Author: protocol.Person{Kind: protocol.Visitor, ID: s.author}, ClientID: ack.ClientID, Body: protocol.NewText(body),
	})
	s.rows = append(s.rows, oracle.Row{
		Conversation: s.conversation, Seq: seq, ID: ack.ID, Author: s.author, ClientID: ack.ClientID,
	})
	return s.events[len(s.events)-1]
}

func erase(e *protocol.Event) { e.Body, e.Erased = protocol.Text{}, true }

func breakEdit(s *script) {
	s.change(protocol.KindEdit, "bye").Body = protocol.NewText("never")
	s.show(s.events...)
}

// breakErasure takes away a text that nobody deleted.
func breakErasure(s *script) {
	erase(s.events[0])
	s.show(s.events...)
}

func breakDeletion(s *script) {
	s.change(protocol.KindDeletion, "")
	s.reader = s.NewLateReader("a late reader")
	s.show(s.events...)
}

func TestEditsAndDeletionsHavePlacesInTheOrder(t *testing.T) {
	s := begin(2)
	edit := s.change(protocol.KindEdit, "bye")
	s.show(s.events...)
	s.change(protocol.KindDeletion, "")
	s.show(s.events[3])
	erase(s.events[0])
	erase(edit)
	s.reader = s.NewLateReader("a late reader")
	s.show(s.events...)
	s.audit()
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("violations: %s", strings.Join(v, "\n"))
	}
	if got := s.Summary(); got.Acknowledged != 4 || got.Deleted != 1 {
		t.Errorf("counted %+v", got)
	}
}

func TestAnAcknowledgementCanBeAwaited(t *testing.T) {
	s := begin(1)
	next := s.NextAcknowledgement()
	select {
	case <-next:
		t.Error("an old acknowledgement counts")
	default:
	}
	s.Acknowledged(s.next())
	<-next
}

func TestAReaderThatIsBehindIsNamed(t *testing.T) {
	s := begin(3)
	s.show(s.events[:2]...)
	if got := s.reader.Behind([]uuid.UUID{s.conversation}); !strings.Contains(got, "2 of 3") {
		t.Errorf("behind: %q", got)
	}
}
