// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func message(c store.Conversation, author store.Author, body string) store.Draft {
	return store.Draft{Conversation: c.ID, Author: author, ClientID: uuid.New(), Body: redacted.New(body)}
}

func mustAppend(t *testing.T, s *store.Store, drafts ...store.Draft) []store.Outcome {
	t.Helper()
	appended, err := s.Append(t.Context(), drafts, anyone)
	if err != nil {
		t.Fatal(err)
	}
	if epoch, err := s.Epoch(t.Context()); err != nil || appended.Epoch != epoch {
		t.Errorf("epoch %d, want %d: %v", appended.Epoch, epoch, err)
	}
	return appended.Outcomes
}

func wantSeqs(t *testing.T, outcomes []store.Outcome, want ...int64) {
	t.Helper()
	var seqs []int64
	for i := range outcomes {
		if o := &outcomes[i]; o.Err == nil && !o.Event.At.IsZero() {
			seqs = append(seqs, o.Event.Seq)
		}
	}
	if !slices.Equal(seqs, want) {
		t.Errorf("stored as %v, want %v", seqs, want)
	}
}

func wantWhole(t *testing.T, s *store.Store, c store.Conversation, bodies ...string) {
	t.Helper()
	events, err := s.EventsAfter(t.Context(), []store.Position{{Conversation: c.ID}}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events {
		if events[i].Seq == int64(i+1) {
			got = append(got, events[i].Body.Reveal())
		}
	}
	if !slices.Equal(got, bodies) {
		t.Errorf("the conversation is %q, want %q", got, bodies)
	}
}

func TestAnotherReplicasMessagesAreNeitherOverwrittenNorSkipped(t *testing.T) {
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	moving, visitor := newConversation(t, one, store.Contact{})
	quiet, other := newConversation(t, one, store.Contact{})
	wantSeqs(t, mustAppend(t, one, message(moving, visitor, "a"), message(quiet, other, "a")), 1, 1)
	wantSeqs(t, mustAppend(t, two, message(moving, visitor, "b"), message(moving, visitor, "c")), 2, 3)
	// Of this batch one conversation is as remembered and the other is not.
	outcomes := mustAppend(t, one,
		message(moving, visitor, "d"), message(quiet, other, "b"), message(moving, visitor, "e"))
	wantSeqs(t, outcomes, 4, 2, 5)
	wantWhole(t, one, moving, "a", "b", "c", "d", "e")
	wantWhole(t, two, quiet, "a", "b")
}

func TestAResentMessageHasItsFirstResultWhateverElseIsInTheBatch(t *testing.T) {
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	c, visitor := newConversation(t, one, store.Contact{})
	first, next := message(c, visitor, "a"), message(c, visitor, "b")
	stored := mustAppend(t, one, first)[0]
	for name, s := range map[string]*store.Store{"the same replica": one, "another": two} {
		outcomes := mustAppend(t, s, first, next, next)
		wantSeqs(t, outcomes, 1, 2, 2)
		if !outcomes[0].Duplicate || outcomes[0].Event.ID != stored.Event.ID || !outcomes[2].Duplicate {
			t.Errorf("%s: a second copy was not recognised: %+v", name, outcomes)
		}
	}
	wantWhole(t, one, c, "a", "b")
}

func TestAClosedConversationTakesNoMore(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	mustAppend(t, s, message(c, visitor, "a"))
	if _, err := db.Admin(t).Exec(t.Context(), `UPDATE conversation SET closed_at = now()`); err != nil {
		t.Fatal(err)
	}
	if o := mustAppend(t, s, message(c, visitor, "b"))[0]; !errors.Is(o.Err, store.ErrNotFound) {
		t.Errorf("the message became %+v, want ErrNotFound", o)
	}
	wantWhole(t, s, c, "a")
}

func TestAfterTheDatabaseWentBackItDecidesWhereMessagesStand(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	mustAppend(t, s, message(c, visitor, "a"), message(c, visitor, "b"), message(c, visitor, "c"))
	for _, change := range []string{`DELETE FROM event WHERE seq > 1`, `UPDATE conversation SET head = 1`} {
		if _, err := db.Admin(t).Exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	wantSeqs(t, mustAppend(t, s, message(c, visitor, "d")), 2)
	wantWhole(t, s, c, "a", "d")
}

func TestEditsAndMessagesOfOneBatchKeepTheirOrder(t *testing.T) {
	s := storetest.New(t).Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	first := mustAppend(t, s, message(c, visitor, "a"))[0].Event
	edit := message(c, visitor, "a, edited")
	edit.Kind, edit.Target = protocol.KindEdit, first.ID
	wantSeqs(t, mustAppend(t, s, message(c, visitor, "b"), edit, message(c, visitor, "c")), 2, 3, 4)
	wantWhole(t, s, c, "a", "b", "a, edited", "c")
}

func TestReplicasThatWriteToTheSameConversationsAtOnceLoseAndRepeatNothing(t *testing.T) {
	db := storetest.New(t)
	replicas := []*store.Store{db.Open(t), db.Open(t), db.Open(t)}
	const batches = 40
	var conversations []store.Conversation
	var visitors []store.Author
	for range 8 {
		c, v := newConversation(t, replicas[0], store.Contact{})
		conversations, visitors = append(conversations, c), append(visitors, v)
	}
	var wg sync.WaitGroup
	for r, s := range replicas {
		wg.Go(func() {
			for range batches {
				var drafts []store.Draft
				// Each replica names them in another order: it must not matter.
				for i := range conversations {
					k := (i*(2*r+1) + r) % len(conversations)
					drafts = append(drafts, message(conversations[k], visitors[k], "x"))
				}
				wantAllStored(t, s, drafts)
			}
		})
	}
	wg.Wait()
	for _, c := range conversations {
		var events, head int64
		err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*), max(seq) FROM event WHERE conversation = $1`, c.ID).
			Scan(&events, &head)
		if want := int64(batches * len(replicas)); err != nil || events != want || head != want {
			t.Errorf("%d events up to %d, want %d: %v", events, head, want, err)
		}
	}
}

func wantAllStored(t *testing.T, s *store.Store, drafts []store.Draft) {
	t.Helper()
	appended, err := s.Append(t.Context(), drafts, anyone)
	if err != nil {
		t.Errorf("Append: %v", err)
	}
	for _, o := range appended.Outcomes {
		if o.Err != nil || o.Duplicate {
			t.Errorf("outcome %+v", o)
		}
	}
}
