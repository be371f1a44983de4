// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// restClock counts the rests that the writer takes.
type restClock struct {
	clock.RealClock

	rests *atomic.Int64
}

func (c restClock) Sleep(time.Duration) { c.rests.Add(1) }

func TestOnlyAfterACrowdTheWriterWaitsForMore(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	rests := &atomic.Int64{}
	e, _ := launch(t, conversation.Config{
		Store: s, Clock: restClock{rests: rests}, PollInterval: time.Second, Presence: conversation.DefaultPresenceTiming(),
	})
	visitor := newVisitor(t, s)
	c := openConversation(t, e, visitor)
	for _, tc := range []struct{ together, want int }{
		{1, 0}, {7, 0}, {8, 1}, {store.MaxAppend - 1, 1},
		// What fills a batch has followers already.
		{store.MaxAppend, 0}, {store.MaxAppend + 1, 0},
	} {
		t.Run(fmt.Sprintf("%d messages", tc.together), func(t *testing.T) {
			rests.Store(0)
			release := holdWriter(t, db, c)
			answers := make(chan protocol.Frame, tc.together+1)
			submit := func() {
				e.Submit(visitor, &protocol.Send{
					Conversation: c, ClientID: uuid.New(), Body: protocol.NewText("hello"),
				}, func(f protocol.Frame) { answers <- f })
			}
			submit()
			awaitHeldWriter(t, db)
			for range tc.together {
				submit()
			}
			release()
			for range tc.together + 1 {
				if f := <-answers; f.FrameType() != protocol.TypeAck {
					t.Fatalf("answered %+v", f)
				}
			}
			// A batch is answered before the rest that follows it; whatever is answered later comes after that.
			mustSend(t, e, visitor, c, "and one more")
			if got := rests.Load(); got != int64(tc.want) {
				t.Errorf("rested %d times, want %d", got, tc.want)
			}
		})
	}
}

// holdWriter keeps the conversation from being written to until the returned function is called.
func holdWriter(t *testing.T, db *storetest.Database, c uuid.UUID) (release func()) {
	t.Helper()
	tx, err := db.Admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM conversation WHERE id = $1 FOR UPDATE`, c); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func awaitHeldWriter(t *testing.T, db *storetest.Database) {
	t.Helper()
	admin := db.Admin(t)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var held bool
		err := admin.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`).Scan(&held)
		if err != nil {
			t.Fatal(err)
		}
		if held {
			return
		}
	}
	t.Fatal("the writer never waited")
}
