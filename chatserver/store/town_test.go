// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// town is a tenant with people in it.
type town struct {
	db            *storetest.Database
	conversations []store.Conversation
	authors       []store.Author
	emails        []string
	said          [][]string
}

const townsfolk = 6

// newTown fills a database: some visitors who talk and some agents who can sign in.
func newTown(t *testing.T) (*town, *store.Store) {
	t.Helper()
	w := &town{db: storetest.New(t)}
	s := w.db.Open(t)
	for i := range townsfolk {
		c, author := newConversation(t, s, contactOf(i))
		say(t, s, c, author, "first", "second")
		w.conversations, w.authors = append(w.conversations, c), append(w.authors, author)
		w.said = append(w.said, []string{"first", "second"})
		w.emails = append(w.emails, fmt.Sprintf("agent%d@example.org", i))
		invite(t, s, w.emails[i], byte(i))
	}
	index(t, s)
	return w, s
}

func contactOf(i int) store.Contact {
	return store.Contact{
		Name: redacted.New(fmt.Sprint("Visitor ", i)), Email: redacted.New(fmt.Sprintf("v%d@example.org", i)),
		Phone: redacted.New(fmt.Sprintf("+49 30 12345%d", i)), ExternalID: redacted.New(fmt.Sprintf("K-%d", i)),
	}
}

// check reads everything back.
func (w *town) check(ctx context.Context, s *store.Store) error {
	for i, c := range w.conversations {
		if err := w.checkConversation(ctx, s, i, len(w.said[i])); err != nil {
			return fmt.Errorf("conversation %d (%s): %w", i, c.ID, err)
		}
		if err := w.checkSearch(ctx, s, i); err != nil {
			return fmt.Errorf("search for conversation %d (%s): %w", i, c.ID, err)
		}
	}
	for _, email := range w.emails {
		a, err := s.AgentByEmail(ctx, redacted.New(email))
		if err != nil {
			return fmt.Errorf("find agent: %w", err)
		}
		if a.DisplayName.Reveal() != "Name of "+email || a.PasswordHash.Reveal() != "$argon2id$"+email {
			return errors.New("an agent reads as somebody else")
		}
	}
	return nil
}

// checkConversation reads the last words of a conversation, and its contact.
func (w *town) checkConversation(ctx context.Context, s *store.Store, i, last int) error {
	said := w.said[i]
	before := max(0, len(said)-last)
	after := store.Position{Conversation: w.conversations[i].ID, Seq: int64(before)}
	events, err := s.EventsAfter(ctx, []store.Position{after}, len(said))
	if err != nil {
		return err
	}
	if len(events) != len(said)-before {
		return fmt.Errorf("%d events, want %d", len(events), len(said)-before)
	}
	for n, e := range events {
		if e.Body.Reveal() != said[before+n] {
			return fmt.Errorf("event %d reads %q, want %q", e.Seq, e.Body.Reveal(), said[before+n])
		}
	}
	found, err := s.Conversations(ctx, []uuid.UUID{w.conversations[i].ID})
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0].Contact.Name.Reveal() != fmt.Sprint("Visitor ", i) {
		return errors.New("the contact does not read back")
	}
	return nil
}

// checkSearch finds a conversation by each part of its contact, and its first word.
func (w *town) checkSearch(ctx context.Context, s *store.Store, i int) error {
	contact := contactOf(i)
	for field, value := range map[store.ContactField]redacted.String{
		store.ByEmail: contact.Email, store.ByPhone: contact.Phone, store.ByExternalID: contact.ExternalID,
	} {
		by := store.ContactValue{Field: field, Value: value}
		found, err := s.FindConversations(ctx, by, store.Spot{}, 2)
		if err != nil {
			return err
		}
		if len(found.Hits) != 1 || found.Hits[0].Conversation.Contact.ExternalID.Reveal() != contact.ExternalID.Reveal() {
			return fmt.Errorf("%d conversations found by %s, or another's", len(found.Hits), field)
		}
		q := store.MessageQuery{Words: words(w.said[i][0]), Contact: by, Limit: 2}
		if found, err = s.FindMessages(ctx, &q); err != nil {
			return err
		}
		if len(found.Hits) != 1 || found.Hits[0].Conversation.ID != w.conversations[i].ID {
			return fmt.Errorf("%d messages found by their word and %s, or another's", len(found.Hits), field)
		}
	}
	return nil
}

// live lets the town's visitors and agents act on replicas, a visitor per goroutine, until the returned function is
// called, which reports how much they did. All of them are at it when it returns.
func (w *town) live(t *testing.T, replicas ...*store.Store) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range w.conversations {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := w.act(t.Context(), replicas, i, n); err != nil {
					t.Errorf("visitor %d: %v", i, err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			if err := newcomer(t.Context(), replicas[n%len(replicas)]); err != nil {
				t.Errorf("newcomer: %v", err)
				return
			}
		}
	})
	for _, s := range replicas {
		wg.Go(func() { indexMeanwhile(ctx, t, s) })
	}
	err := eventually(t, func(context.Context) error {
		if n := done.Load(); n < townsfolk {
			return fmt.Errorf("they said %d words only", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	before := done.Load()
	return func() int64 { cancel(); wg.Wait(); return done.Load() - before }
}

// indexMeanwhile indexes until ctx ends.
func indexMeanwhile(ctx context.Context, t *testing.T, s *store.Store) {
	for ctx.Err() == nil {
		if _, err := s.Index(t.Context(), time.Time{}); err != nil {
			t.Errorf("index: %v", err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// act says something on one replica and reads the last words on the next, where an agent signs in and is invited again.
func (w *town) act(ctx context.Context, replicas []*store.Store, i, n int) error {
	body := fmt.Sprintf("word %d of %d", n, i)
	draft := store.Draft{
		Conversation: w.conversations[i].ID, Author: w.authors[i], ClientID: uuid.New(), Body: redacted.New(body),
	}
	if err := appendOne(ctx, replicas[n%len(replicas)], draft); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	w.said[i] = append(w.said[i], body)
	other := replicas[(n+1)%len(replicas)]
	const lately = 20
	if err := w.checkConversation(ctx, other, i, lately); err != nil {
		return err
	}
	if err := w.checkSearch(ctx, other, i); err != nil {
		return err
	}
	a, err := other.AgentByEmail(ctx, redacted.New(w.emails[i]))
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if _, err := other.EnsureAgent(ctx, redacted.New(w.emails[i]), a.DisplayName); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	return nil
}

// newcomer is a visitor who says one thing.
func newcomer(ctx context.Context, s *store.Store) error {
	token := uuid.New()
	v, err := s.CreateVisitor(ctx, sha256.Sum256(token[:]), time.Hour)
	if err != nil {
		return fmt.Errorf("create visitor: %w", err)
	}
	c, _, err := s.OpenConversation(ctx, v.ID, uuid.New(), store.Contact{Name: redacted.New("New")})
	if err != nil {
		return fmt.Errorf("open conversation: %w", err)
	}
	author := store.Author{Kind: protocol.Visitor, ID: v.ID}
	return appendOne(ctx, s, store.Draft{
		Conversation: c.ID, Author: author, ClientID: uuid.New(), Body: redacted.New("hello"),
	})
}
