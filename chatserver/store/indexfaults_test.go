// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// sayOne appends a message and returns its event.
func sayOne(t *testing.T, s *store.Store, c store.Conversation, author store.Author, body string) store.Event {
	t.Helper()
	draft := store.Draft{Conversation: c.ID, Author: author, ClientID: uuid.New(), Body: redacted.New(body)}
	out, err := s.Append(t.Context(), []store.Draft{draft}, anyone)
	if err != nil || out.Outcomes[0].Err != nil {
		t.Fatalf("append: %v, %v", err, out.Outcomes)
	}
	return out.Outcomes[0].Event
}

func deletionOf(e *store.Event, author store.Author) store.Draft {
	return store.Draft{
		Kind: protocol.KindDeletion, Conversation: e.Conversation, Author: author, ClientID: uuid.New(), Target: e.ID,
	}
}

func TestTwoIndexersAtOnceIndexEverythingOnceWhilePeopleWriteAndDelete(t *testing.T) {
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	const talks, rounds = 4, 12
	ctx, stop := context.WithCancel(t.Context())
	var indexers, people sync.WaitGroup
	for _, s := range []*store.Store{one, two} {
		indexers.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Index(ctx, time.Time{}); err != nil && ctx.Err() == nil {
					t.Errorf("index: %v", err)
				}
			}
		})
	}
	for talk := range talks {
		c, visitor := newConversation(t, one, store.Contact{})
		people.Go(func() {
			for round := range rounds {
				changeMind(t, one, two, c, visitor, fmt.Sprintf("talk%d round%d", talk, round))
			}
		})
	}
	people.Wait()
	stop()
	indexers.Wait()
	index(t, one)
	if got := find(t, two, "edited"); len(got) != talks*rounds {
		t.Errorf("%d edited messages are found, want %d", len(got), talks*rounds)
	}
	for _, text := range []string{"keepme", "dropme"} {
		if got := find(t, one, text); got != nil {
			t.Errorf("%s finds %q", text, got)
		}
	}
	if n := count(t, db, "search_message"); n != talks*rounds {
		t.Errorf("%d messages have tokens, want %d", n, talks*rounds)
	}
}

// changeMind says two things over one replica and over the other deletes one and edits the other, in one commit.
func changeMind(t *testing.T, one, two *store.Store, c store.Conversation, visitor store.Author, what string) {
	t.Helper()
	keep, gone := sayOne(t, one, c, visitor, "keepme "+what), sayOne(t, one, c, visitor, "dropme "+what)
	edit := store.Draft{
		Kind: protocol.KindEdit, Conversation: c.ID, Author: visitor, ClientID: uuid.New(), Target: keep.ID,
		Body: redacted.New("edited " + what),
	}
	if _, err := two.Append(t.Context(), []store.Draft{deletionOf(&gone, visitor), edit}, anyone); err != nil {
		t.Errorf("append: %v", err)
	}
}

// hold keeps others from writing to a table until release is called.
func hold(t *testing.T, db *storetest.Database, table string) (release func()) {
	t.Helper()
	tx, err := db.Admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE `+table+` IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// waitBlocked waits until that many of the chat server's connections wait for a lock.
func waitBlocked(t *testing.T, db *storetest.Database, want int) {
	t.Helper()
	admin := db.Admin(t)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var waiting int
		err := admin.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE usename = 'chatserver' AND wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting == want {
			return
		}
	}
	t.Fatalf("never were %d connections blocked", want)
}

func TestADeletionWhileItsMessageIsBeingIndexedLeavesNoTokens(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	gone := sayOne(t, s, c, visitor, "secret")
	release := hold(t, db, "search_message")
	errs := make(chan error, 2)
	go func() { _, err := s.Index(t.Context(), time.Time{}); errs <- err }()
	waitBlocked(t, db, 1)
	go func() {
		_, err := s.Append(t.Context(), []store.Draft{deletionOf(&gone, visitor)}, anyone)
		errs <- err
	}()
	// The deletion waits for the indexer, which holds the text.
	waitBlocked(t, db, 2)
	release()
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := count(t, db, "search_message"); n != 0 {
		t.Error("the deleted message has tokens")
	}
}

func TestAMessageBeingDeletedIsNotIndexedAndHoldsUpNobody(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	other, someone := newConversation(t, s, store.Contact{})
	sayOne(t, s, c, visitor, "before")
	gone := sayOne(t, s, c, visitor, "secret")
	sayOne(t, s, c, visitor, "behind")
	sayOne(t, s, other, someone, "elsewhere")
	tx, err := db.Admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE event SET body = NULL WHERE id = $1`, gone.ID); err != nil {
		t.Fatal(err)
	}
	done, err := s.Index(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if !done.More || done.Backlog != 2 {
		t.Errorf("while a message is being deleted: more=%v, backlog %d", done.More, done.Backlog)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	index(t, s)
	for text, want := range map[string][]string{
		"secret": nil, "before": {"before"}, "behind": {"behind"}, "elsewhere": {"elsewhere"},
	} {
		if diff := cmp.Diff(want, find(t, s, text)); diff != "" {
			t.Errorf("search for %s (-want +got):\n%s", text, diff)
		}
	}
	if n := count(t, db, "search_message"); n != 3 {
		t.Errorf("%d messages have tokens, want 3", n)
	}
}

func TestAnIndexerThatDiesInBetweenLeavesItsWorkToTheNext(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{Email: redacted.New("ada@example.org")})
	say(t, s, c, visitor, "first needle", "second needle")
	release := hold(t, db, "search_message")
	failed := make(chan error, 1)
	go func() { _, err := s.Index(t.Context(), time.Time{}); failed <- err }()
	waitBlocked(t, db, 1)
	// Another replica sees that one is at it.
	if done, err := db.Open(t).Index(t.Context(), time.Time{}); err != nil || !done.Elsewhere {
		t.Errorf("a second indexer: elsewhere=%v, %v", done.Elsewhere, err)
	}
	_, err := db.Admin(t).Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = 'chatserver' AND wait_event_type = 'Lock'`)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Fatal("the indexer was not interrupted")
	}
	release()
	if n := index(t, db.Open(t)); n != 2 {
		t.Errorf("the next one indexed %d events", n)
	}
	if got := find(t, s, "needle"); !slices.Equal(got, []string{"second needle", "first needle"}) {
		t.Errorf("found %q", got)
	}
}

func TestACrashOfTheDatabaseMayTakeTheIndexBackButNotForGood(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	for i := range 20 {
		sayOne(t, s, c, visitor, fmt.Sprintf("needle number%d", i))
		if _, err := s.Index(t.Context(), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	db.Cluster.Kill()
	db.Cluster.Start(t)
	after := db.Open(t)
	index(t, after)
	if got := find(t, after, "needle"); len(got) != 20 {
		t.Errorf("%d messages are found", len(got))
	}
	var positions, tokens int
	err := db.Admin(t).QueryRow(t.Context(), `
		SELECT (SELECT sum(seq) FROM search_conversation), (SELECT count(*) FROM search_message)`).Scan(&positions, &tokens)
	if err != nil || positions != 20 || tokens != 20 {
		t.Errorf("position %d, %d messages with tokens: %v", positions, tokens, err)
	}
}

func TestDestroyingASubjectsKeyTakesAllThatIsSearchable(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	contact := store.Contact{Email: redacted.New("ada@example.org"), Phone: redacted.New("030 1234")}
	ada, visitor := newConversation(t, s, contact)
	bob, other := newConversation(t, s, contact)
	say(t, s, ada, visitor, "needle of ada", "more")
	say(t, s, bob, other, "needle of bob")
	index(t, s)
	say(t, s, ada, visitor, "a needle not indexed yet")
	if _, err := db.Admin(t).Exec(t.Context(), `DELETE FROM subject_key WHERE visitor = $1`, ada.Visitor); err != nil {
		t.Fatal(err)
	}
	for pass := range 2 {
		for table, want := range map[string]int{"search_conversation": 1, "search_contact": 2, "search_message": 1} {
			if got := count(t, db, table); got != want {
				t.Errorf("pass %d: %s has %d rows, want %d", pass, table, got, want)
			}
		}
		// Nothing comes back, nor is it tried for ever.
		fresh := db.Open(t)
		if n := index(t, fresh); n != 0 {
			t.Errorf("%d events of an erased visitor are indexed", n)
		}
		if got := find(t, fresh, "needle"); !slices.Equal(got, []string{"needle of bob"}) {
			t.Errorf("found %q", got)
		}
	}
}

func TestWhatWasThereBeforeTheSearchIsIndexedToo(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{Email: redacted.New("ada@example.org")})
	newConversation(t, s, store.Contact{})
	say(t, s, c, visitor, "needle")
	if _, err := db.Admin(t).Exec(t.Context(), `DELETE FROM search_conversation`); err != nil {
		t.Fatal(err)
	}
	index(t, s)
	value := store.ContactValue{Field: store.ByEmail, Value: redacted.New("ada@example.org")}
	found, err := s.FindConversations(t.Context(), value, store.Spot{}, 10)
	if err != nil || len(found.Hits) != 1 {
		t.Errorf("%d conversations are found, %v", len(found.Hits), err)
	}
	if got := find(t, s, "needle"); len(got) != 1 {
		t.Errorf("found %q", got)
	}
	if n := count(t, db, "search_conversation"); n != 2 {
		t.Errorf("%d conversations are indexed", n)
	}
}

func TestAnEventThatDoesNotOpenHoldsUpNoOther(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	say(t, s, c, visitor, "first needle", "second needle", "third needle")
	_, err := db.Admin(t).Exec(t.Context(), `
		UPDATE event SET body = set_bit(body, 100, 1 - get_bit(body, 100)) WHERE seq = 2`)
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Index(t.Context(), time.Time{})
	if err != nil || done.Unreadable != 1 || done.Backlog != 0 || done.More {
		t.Errorf("indexed %+v, %v", done, err)
	}
	if got := find(t, s, "needle"); !slices.Equal(got, []string{"third needle", "first needle"}) {
		t.Errorf("found %q", got)
	}
}

func TestOnlyTheLatestIsLookedAt(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	old, visitor := newConversation(t, s, store.Contact{})
	say(t, s, old, visitor, "old needle")
	c, other := newConversation(t, s, store.Contact{})
	say(t, s, c, other, "new needle")
	_, err := db.Admin(t).Exec(t.Context(), `
		UPDATE conversation SET touched_at = now() - interval '1 day' WHERE id = $1`, old.ID)
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Index(t.Context(), time.Now().Add(-time.Hour))
	if err != nil || done.Events != 1 || done.Backlog != 0 {
		t.Errorf("indexed %+v, %v", done, err)
	}
	if n := index(t, s); n != 1 {
		t.Errorf("looking at all of it indexed %d events", n)
	}
}

func TestTokensSayNothingAcrossPeriodsAndTenants(t *testing.T) {
	db := storetest.New(t)
	first := tokensOf(t, db)
	if first[0] != first[1] {
		t.Error("a word has two tokens within a period")
	}
	if first[0] == first[2] {
		t.Error("a word has the same token in another period")
	}
	if another := tokensOf(t, storetest.New(t)); another[0] == first[0] {
		t.Error("a word has the same token under another key")
	}
}

// tokensOf indexes a word twice in this period and once a year ago.
func tokensOf(t *testing.T, db *storetest.Database) []int32 {
	t.Helper()
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	say(t, s, c, visitor, "needle", "needle", "needle")
	admin := db.Admin(t)
	if _, err := admin.Exec(t.Context(), `UPDATE event e SET at =
		(SELECT min(at) FROM event) - CASE e.seq WHEN 3 THEN interval '365 days' ELSE interval '0' END`); err != nil {
		t.Fatal(err)
	}
	index(t, s)
	rows, err := admin.Query(t.Context(), `SELECT unnest(m.tokens) FROM search_message m
		JOIN event e ON e.id = m.message ORDER BY e.seq`)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil || len(tokens) != 3 {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	return tokens
}
