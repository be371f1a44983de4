// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// attendee is a subscription that also speaks.
type attendee struct {
	*reader
	sub *conversation.Subscription
}

func attend(t *testing.T, e *conversation.Engine, p identity.Principal) attendee {
	t.Helper()
	r := subscribe(t, e, p, nil)
	return attendee{r, r.sub}
}

// latestReceipt is the last one of a reader that came in.
func (r *reader) latestReceipt(reader uuid.UUID) *protocol.ReceiptNotice {
	r.mu.Lock()
	defer r.mu.Unlock()
	var latest *protocol.ReceiptNotice
	for _, f := range r.frames {
		if notice, ok := f.(*protocol.ReceiptNotice); ok && notice.Reader.ID == reader {
			latest = notice
		}
	}
	return latest
}

func (r *reader) waitReceipt(t *testing.T, who identity.Principal, delivered, read int64) {
	t.Helper()
	waitUntil(t, fmt.Sprintf("a receipt of %s at %d, %d", who.Kind, delivered, read), func() bool {
		got := r.latestReceipt(who.ID)
		return got != nil && got.Delivered == delivered && got.Read == read && got.Reader.Kind == who.Kind
	})
}

func TestReceiptsReachEveryReaderOfTheConversationOnEveryReplica(t *testing.T) {
	db := storetest.New(t)
	here, there := db.Open(t), db.Open(t)
	a, b := startEngine(t, here), startEngine(t, there)
	visitor, agent, outsider := newVisitor(t, here), newAgent(t, here, "grace"), newVisitor(t, here)
	c := openConversation(t, a, visitor)
	openConversation(t, a, outsider)
	v, g, o := attend(t, a, visitor), attend(t, b, agent), attend(t, b, outsider)
	for _, body := range []string{"one", "two", "three"} {
		mustSend(t, a, visitor, c, body)
	}
	g.waitFor(t, c, 3)
	g.sub.Receipt(&protocol.Receipt{Conversation: c, Delivered: 3, Read: 1})
	v.waitReceipt(t, agent, 3, 1)
	g.sub.Receipt(&protocol.Receipt{Conversation: c, Delivered: 3, Read: 2})
	v.waitReceipt(t, agent, 3, 2)
	// Who comes later is told, too: receipts are kept.
	attend(t, a, visitor).waitReceipt(t, agent, 3, 2)
	if got := o.latestReceipt(agent.ID); got != nil {
		t.Errorf("a visitor hears of another's conversation: %+v", got)
	}
}

func TestAReceiptOnlyGrowsAndNeverBeyondWhatWasSent(t *testing.T) {
	s := storetest.New(t).Open(t)
	e := startEngine(t, s)
	visitor, agent := newVisitor(t, s), newAgent(t, s, "grace")
	c := openConversation(t, e, visitor)
	v, g := attend(t, e, visitor), attend(t, e, agent)
	mustSend(t, e, visitor, c, "one")
	mustSend(t, e, visitor, c, "two")
	g.waitFor(t, c, 2)
	g.sub.Receipt(&protocol.Receipt{Conversation: c, Delivered: 99, Read: 99})
	v.waitReceipt(t, agent, 2, 2)
	for _, lower := range []int64{1, 0, -7} {
		g.sub.Receipt(&protocol.Receipt{Conversation: c, Delivered: lower, Read: lower})
	}
	g.sub.Receipt(&protocol.Receipt{Conversation: uuid.New(), Delivered: 1, Read: 1})
	waitUntil(t, "the receipts are stored", func() bool {
		receipts, err := s.Receipts(t.Context(), []uuid.UUID{c})
		return err == nil && len(receipts) == 1 && receipts[0].Read == 2 && receipts[0].Delivered == 2
	})
	if got := v.latestReceipt(agent.ID); got.Read != 2 || got.Delivered != 2 {
		t.Errorf("the visitor was told to take it back: %+v", got)
	}
	attend(t, e, visitor).waitReceipt(t, agent, 2, 2)
}

func TestTypingIsToldToTheOthersAndStoredNowhere(t *testing.T) {
	db := storetest.New(t)
	here, there := db.Open(t), db.Open(t)
	a, b := startEngine(t, here), startEngine(t, there)
	visitor, agent := newVisitor(t, here), newAgent(t, here, "grace")
	c := openConversation(t, a, visitor)
	v, other, g := attend(t, a, visitor), attend(t, a, visitor), attend(t, b, agent)
	for _, r := range []*reader{v.reader, other.reader, g.reader} {
		frameOf[*protocol.CaughtUp](t, r)
	}
	for _, typing := range []bool{true, false} {
		var said time.Time
		waitUntil(t, fmt.Sprintf("the agent hears typing: %t", typing), func() bool {
			// Nothing keeps it for a replica that is not listening yet: clients say it again while it lasts.
			if time.Since(said) > time.Second {
				v.sub.Typing(&protocol.Typing{Conversation: c, Typing: typing})
				said = time.Now()
			}
			got, want := g.latestTyping(), protocol.Participant{Kind: protocol.Visitor, ID: visitor.ID}
			return got != nil && got.Typing == typing && got.Author == want
		})
	}
	time.Sleep(300 * time.Millisecond)
	if v.latestTyping() != nil || other.latestTyping() != nil {
		t.Error("the visitor is told of their own typing")
	}
}

func (r *reader) latestTyping() *protocol.TypingNotice {
	r.mu.Lock()
	defer r.mu.Unlock()
	var latest *protocol.TypingNotice
	for _, f := range r.frames {
		if notice, ok := f.(*protocol.TypingNotice); ok {
			latest = notice
		}
	}
	return latest
}

func TestAStrangerCannotTypeOrReadInAConversation(t *testing.T) {
	s := storetest.New(t).Open(t)
	e := startEngine(t, s)
	visitor, stranger, agent := newVisitor(t, s), newVisitor(t, s), newAgent(t, s, "grace")
	c := openConversation(t, e, visitor)
	mustSend(t, e, visitor, c, "one")
	g, intruder := attend(t, e, agent), attend(t, e, stranger)
	g.waitFor(t, c, 1)
	intruder.sub.Typing(&protocol.Typing{Conversation: c, Typing: true})
	intruder.sub.Receipt(&protocol.Receipt{Conversation: c, Delivered: 1, Read: 1})
	time.Sleep(300 * time.Millisecond)
	if g.latestTyping() != nil || g.latestReceipt(stranger.ID) != nil {
		t.Error("a stranger made themselves heard")
	}
	if receipts, err := s.Receipts(t.Context(), []uuid.UUID{c}); err != nil || len(receipts) > 0 {
		t.Errorf("a stranger left %v, %v", receipts, err)
	}
}
