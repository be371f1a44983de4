// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// unreadable is a store whose events cannot be read.
type unreadable struct {
	*store.Store
	reads *atomic.Int64
}

func (u unreadable) EventsAfter(context.Context, []store.Position, int) ([]store.Event, error) {
	u.reads.Add(1)
	return nil, errors.New("away")
}

func TestConversationsThatCannotBeReadAreTriedAgainAfterAPause(t *testing.T) {
	const conversations, span = 5, 3 * time.Second
	db := storetest.New(t)
	s := db.Open(t)
	sender := startEngine(t, s)
	for range conversations {
		visitor := newVisitor(t, s)
		mustSend(t, sender, visitor, openConversation(t, sender, visitor), "hello")
	}
	var reads atomic.Int64
	e := startEngine(t, unreadable{s, &reads})
	subscribe(t, e, newAgent(t, s, "grace"), nil)
	time.Sleep(span)
	if n, most := reads.Load(), int64(conversations*(span/time.Second+2)); n < conversations || n > most {
		t.Errorf("%d reads in %v, wanted %d to %d", n, span, conversations, most)
	}
}
