// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// listening is an agent's subscription that has caught up with conversations, on an engine that does nothing by itself.
func listening(conversations ...uuid.UUID) *Subscription {
	e := &Engine{hub: newHub(), presence: newPresence(testGrace)}
	s := &Subscription{
		engine: e, principal: identity.Principal{Kind: protocol.Agent, ID: uuid.New()}, wake: make(chan struct{}, 1),
		feeds: map[uuid.UUID]*feed{}, notices: map[noticeKey]notice{},
	}
	for _, id := range conversations {
		s.feeds[id] = &feed{announced: true, caughtUp: true}
	}
	return s
}

func receiptOf(conversation uuid.UUID, delivered, read int64) *store.Receipt {
	return &store.Receipt{
		Participation: store.Participation{Conversation: conversation, Kind: protocol.Visitor, ID: uuid.Nil},
		Delivered:     delivered, Read: read,
	}
}

// TestOneNoticeIsEncodedForManySubscriptionsAtOnce is for the race detector.
func TestOneNoticeIsEncodedForManySubscriptionsAtOnce(t *testing.T) {
	const readers = 8
	c := uuid.New()
	h := newHub()
	subscriptions := make([]*Subscription, readers)
	for i := range subscriptions {
		subscriptions[i] = listening(c)
		h.add(subscriptions[i])
	}
	for _, n := range []notice{
		receiptNotice(receiptOf(c, 3, 2)),
		typingNotice(&store.Typing{Participation: receiptOf(c, 0, 0).Participation, Typing: true}),
	} {
		h.tell(uuid.New(), n, nil)
		var wg sync.WaitGroup
		for _, s := range subscriptions {
			wg.Go(func() {
				if frames, err := s.takeNotices(); err != nil || len(frames) != 1 {
					t.Errorf("%d frames, %v", len(frames), err)
				}
			})
		}
		wg.Wait()
	}
}

func TestNoticesOfConversationsNeverToldOfAreNotKept(t *testing.T) {
	known, unknown := uuid.New(), uuid.New()
	s := listening(known)
	for range 100 {
		s.note(receiptNotice(receiptOf(uuid.New(), 1, 1)))
	}
	s.note(receiptNotice(receiptOf(known, 1, 1)))
	if len(s.notices) != 1 {
		t.Errorf("%d notices are kept", len(s.notices))
	}
	// While the conversations are still being listed any may turn out to be one of them.
	s = listening()
	s.starting = true
	s.note(receiptNotice(receiptOf(known, 1, 1)))
	s.note(receiptNotice(receiptOf(unknown, 1, 1)))
	s.feeds[known] = &feed{announced: true, caughtUp: true}
	if err := s.startCompany(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if frames, err := s.takeNotices(); err != nil || len(frames) != 1 || len(s.notices) != 0 {
		t.Errorf("%d frames, %v, %d notices are kept", len(frames), err, len(s.notices))
	}
}

func TestAReceiptReadFromTheDatabaseTakesNothingBackThatWasHeard(t *testing.T) {
	c := uuid.New()
	s := listening(c)
	s.note(receiptNotice(receiptOf(c, 5, 4)))
	s.note(receiptNotice(receiptOf(c, 3, 3)))
	due := s.dueNotices()
	if len(due) != 1 || due[0].delivered != 5 || due[0].read != 4 {
		t.Errorf("told %+v", due)
	}
}
