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
	const conversations, rounds = 5, 3
	db := storetest.New(t)
	s := db.Open(t)
	sender := startEngine(t, s)
	for range conversations {
		visitor := newVisitor(t, s)
		mustSend(t, sender, visitor, openConversation(t, sender, visitor), "hello")
	}
	var reads atomic.Int64
	begun := time.Now()
	e := startEngine(t, unreadable{s, &reads})
	subscribe(t, e, newAgent(t, s, "grace"), nil)
	waitUntil(t, "all are read again and again", func() bool { return reads.Load() >= rounds*conversations })
	// Beside the readers, who pause for a second, the engine looks each second what they might want.
	n, seconds := reads.Load(), int64(time.Since(begun)/time.Second)
	if most := (conversations + 1) * (seconds + 2); n > most {
		t.Errorf("%d reads in %d s, more than %d", n, seconds, most)
	}
}
