// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/searchtext"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// index indexes until nothing is left, and returns how many events that were.
func index(t *testing.T, s *store.Store) (events int) {
	t.Helper()
	for {
		done, err := s.Index(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if done.Elsewhere {
			continue
		}
		events += done.Events
		if !done.More {
			return events
		}
	}
}

func words(text string) []redacted.String {
	var out []redacted.String
	for word := range searchtext.Words(redacted.New(text)) {
		out = append(out, word.String)
	}
	return out
}

// find returns the texts of the messages found, newest first.
func find(t *testing.T, s *store.Store, text string) []string {
	t.Helper()
	return findWith(t, s, store.MessageQuery{Words: words(text), Limit: 100})
}

func findWith(t *testing.T, s *store.Store, q store.MessageQuery) []string {
	t.Helper()
	var texts []string
	for {
		found, err := s.FindMessages(t.Context(), &q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range found.Hits {
			texts = append(texts, found.Hits[i].Text.Reveal())
		}
		if found.Next == nil {
			return texts
		}
		q.Before = *found.Next
	}
}

func TestMessagesAreFoundByTheirWords(t *testing.T) {
	s := storetest.New(t).Open(t)
	ada, visitor := newConversation(t, s, store.Contact{Name: redacted.New("Ada")})
	bob, other := newConversation(t, s, store.Contact{})
	say(t, s, ada, visitor, "Die Straße ist gesperrt", "nothing of the kind")
	say(t, s, bob, other, "STRASSE frei?")
	if got := find(t, s, "straße"); got != nil {
		t.Errorf("found %q before anything was indexed", got)
	}
	if n := index(t, s); n != 3 {
		t.Errorf("indexed %d events", n)
	}
	tests := map[string][]string{
		"straße":          {"STRASSE frei?", "Die Straße ist gesperrt"},
		"strasse FREI":    {"STRASSE frei?"},
		"frei gesperrt":   nil,
		"kind":            {"nothing of the kind"},
		"strass":          nil,
		"Ada":             nil,
		"absent":          nil,
		"Strasse strasse": {"STRASSE frei?", "Die Straße ist gesperrt"},
	}
	for text, want := range tests {
		if diff := cmp.Diff(want, find(t, s, text)); diff != "" {
			t.Errorf("search for %q (-want +got):\n%s", text, diff)
		}
	}
	if n := index(t, s); n != 0 {
		t.Errorf("indexed %d events again", n)
	}
}

func TestConversationsAreFoundByExactContact(t *testing.T) {
	s := storetest.New(t).Open(t)
	contact := store.Contact{
		Email: redacted.New("Ada@Seeded.example"), Phone: redacted.New("+49 (0)30 123-456"),
		ExternalID: redacted.New("K-Caf\u00e9"),
	}
	c, visitor := newConversation(t, s, contact)
	newConversation(t, s, store.Contact{Email: redacted.New("bob@seeded.example"), Phone: redacted.New("030 123456")})
	say(t, s, c, visitor, "hello there")
	index(t, s)
	tests := []struct {
		field store.ContactField
		value string
		found bool
	}{
		{store.ByEmail, " ada@seeded.EXAMPLE", true},
		{store.ByEmail, "ada@seeded.exampl", false},
		{store.ByPhone, "0049 30 123456", true},
		{store.ByPhone, "4930123456", false},
		{store.ByExternalID, "K-Cafe\u0301", true},
		{store.ByExternalID, "k-caf\u00e9", false},
		// What equals a value of another column is not found in this one.
		{store.ByPhone, "ada@seeded.example", false},
	}
	for _, tt := range tests {
		value := store.ContactValue{Field: tt.field, Value: redacted.New(tt.value)}
		found, err := s.FindConversations(t.Context(), value, store.Spot{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case !tt.found && len(found.Hits) > 0:
			t.Errorf("%s %q is found", tt.field, tt.value)
		case tt.found && (len(found.Hits) != 1 || found.Hits[0].Conversation.ID != c.ID):
			t.Errorf("%s %q finds %d conversations", tt.field, tt.value, len(found.Hits))
		case tt.found && !found.Hits[0].Conversation.Contact.Phone.Equal(contact.Phone):
			t.Error("the phone number is not what was typed")
		}
		var want []string
		if tt.found {
			want = []string{"hello there"}
		}
		got := findWith(t, s, store.MessageQuery{Words: words("hello"), Contact: value, Limit: 10})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("hello of %s %q (-want +got):\n%s", tt.field, tt.value, diff)
		}
	}
}

func TestPagingHasNoGapsAndNoDoubles(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	var want []string
	for batch := range 5 {
		var drafts []store.Draft
		for i := range 7 {
			body := fmt.Sprintf("needle %d of %d", i, batch)
			want = append(want, body)
			drafts = append(drafts, store.Draft{
				Conversation: c.ID, Author: visitor, ClientID: uuid.New(), Body: redacted.New(body),
			})
		}
		// What commits together has the same time.
		if _, err := s.Append(t.Context(), drafts, anyone); err != nil {
			t.Fatal(err)
		}
	}
	// One batch each lies in the present, the period before, two years back and in between.
	_, err := db.Admin(t).Exec(t.Context(), `UPDATE event SET at = at - make_interval(days => CASE
		WHEN seq <= 7 THEN 1000 WHEN seq <= 14 THEN 800 WHEN seq <= 21 THEN 400 WHEN seq <= 28 THEN 28 ELSE 0 END)`)
	if err != nil {
		t.Fatal(err)
	}
	index(t, s)
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 7, 20, 100} {
		got := findWith(t, s, store.MessageQuery{Words: words("needle"), Limit: limit})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", limit, diff)
		}
	}
}

func TestEditsAreFoundByWhatTheySayNow(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	c, visitor := newConversation(t, s, store.Contact{})
	change := func(kind protocol.EventKind, target uuid.UUID, body string) {
		t.Helper()
		draft := store.Draft{Kind: kind, Conversation: c.ID, Author: visitor, ClientID: uuid.New(), Target: target}
		if kind == protocol.KindEdit {
			draft.Body = redacted.New(body)
		}
		if err := appendOne(t.Context(), s, draft); err != nil {
			t.Fatal(err)
		}
	}
	first := sayOne(t, s, c, visitor, "elephants in the room")
	index(t, s)
	change(protocol.KindEdit, first.ID, "giraffes in the room")
	if got := find(t, s, "elephants"); !slices.Equal(got, []string{"giraffes in the room"}) && got != nil {
		t.Errorf("before the edit is indexed its old words find %q", got)
	}
	index(t, s)
	change(protocol.KindEdit, first.ID, "zebras in the room")
	change(protocol.KindEdit, first.ID, "lions in the room")
	index(t, s)
	for text, want := range map[string][]string{
		"elephants": nil, "giraffes": nil, "zebras": nil, "lions": {"lions in the room"}, "room": {"lions in the room"},
	} {
		if diff := cmp.Diff(want, find(t, s, text)); diff != "" {
			t.Errorf("search for %q (-want +got):\n%s", text, diff)
		}
	}
	change(protocol.KindDeletion, first.ID, "")
	// The deletion took the tokens along, before anybody indexed it.
	if n := count(t, db, "search_message"); n != 0 {
		t.Errorf("%d messages have tokens after the deletion", n)
	}
	index(t, s)
	if n := count(t, db, "search_message"); n != 0 {
		t.Errorf("%d messages have tokens after the deletion was indexed", n)
	}
}

func count(t *testing.T, db *storetest.Database, table string) (rows int) {
	t.Helper()
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}
