// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"crypto/sha256"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func anyone(store.Author, uuid.UUID) bool { return true }

// newConversation makes a visitor with an open conversation.
func newConversation(t *testing.T, s *store.Store, contact store.Contact) (store.Conversation, store.Author) {
	t.Helper()
	ctx := t.Context()
	token := uuid.New()
	v, err := s.CreateVisitor(ctx, sha256.Sum256(token[:]), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, created, err := s.OpenConversation(ctx, v.ID, uuid.New(), contact)
	if err != nil || !created {
		t.Fatalf("OpenConversation: created=%v err=%v", created, err)
	}
	return c, store.Author{Kind: protocol.Visitor, ID: v.ID}
}

func appendOne(ctx context.Context, s *store.Store, d store.Draft) error {
	out, err := s.Append(ctx, []store.Draft{d}, anyone)
	if err != nil {
		return err
	}
	return out.Outcomes[0].Err
}

func TestAppendedEventsReadBackInOrderWithContactAndAuthor(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	ctx := t.Context()
	contact := store.Contact{Name: redacted.New("Ada Lovelace"), Email: redacted.New("ada@example.org")}
	c, visitor := newConversation(t, s, contact)
	agent, err := s.EnsureAgent(ctx, redacted.New("grace@example.org"), redacted.New("Grace"))
	if err != nil {
		t.Fatal(err)
	}
	drafts := []store.Draft{
		{Conversation: c.ID, Author: visitor, ClientID: uuid.New(), Body: redacted.New("hello")},
		{Conversation: c.ID, Author: store.Author{Kind: protocol.Agent, ID: agent.ID, DisplayName: agent.DisplayName},
			ClientID: uuid.New(), Body: redacted.New("good day")},
	}
	appended, err := s.Append(ctx, drafts, anyone)
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.EventsAfter(ctx, []store.Position{{Conversation: c.ID}}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 {
		t.Fatalf("read %d events, want 2", len(events))
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || !e.Body.Equal(drafts[i].Body) || e.ClientID != drafts[i].ClientID ||
			e.Author.ID != drafts[i].Author.ID || !e.Author.DisplayName.Equal(drafts[i].Author.DisplayName) {
			t.Errorf("event %d does not match its draft: %+v", i, e)
		}
		if got := appended.Outcomes[i].Event; got.ID != e.ID || !got.At.Equal(e.At) {
			t.Errorf("outcome %d is %+v, stored %+v", i, got, e)
		}
	}
	list, err := s.RecentConversations(ctx, 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("RecentConversations: %d, %v", len(list), err)
	}
	if got := list[0]; got.Head != 2 || !got.Contact.Name.Equal(contact.Name) || !got.Contact.Email.Equal(contact.Email) {
		t.Errorf("conversation = %+v", got)
	}
}
