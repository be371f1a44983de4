// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package search lets agents find conversations by what was said in them and by who said it. What is looked up are
// keyed tokens and blind indexes; an indexer makes the tokens after the fact, so that nobody who sends a message waits.
package search

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/searchtext"
	"github.com/chattenant/chattenant/chatserver/store"
)

var (
	// ErrForbidden says that someone may not search.
	ErrForbidden = errors.New("only agents search")
	// ErrNoWords says that there is nothing to look for in a text.
	ErrNoWords = errors.New("text: want a word of at least two letters or digits")
)

const (
	// pageSize is the most hits of an answer.
	pageSize = 20
	// maxLooks bounds the work for one answer: that many parts of the messages, a year or pageSize messages each.
	maxLooks = 4
	// maxWords bounds the words that are looked for; there are more only in scripts without spaces.
	maxWords = 32
)

// Store is what searching needs of the database.
type Store interface {
	FindMessages(ctx context.Context, q *store.MessageQuery) (store.Found, error)
	FindConversations(ctx context.Context, contact store.ContactValue, before store.Spot, limit int) (store.Found, error)
}

// Service answers searches. Safe for concurrent use.
type Service struct{ store Store }

// NewService makes a service on a store.
func NewService(s Store) *Service { return &Service{store: s} }

// Search finds what the request asks for, newest first, as far as p may read it. The request must be valid. It reports
// ErrForbidden, ErrNoWords or protocol.ErrMalformed for a place in the list that it did not name.
func (s *Service) Search(
	ctx context.Context, p identity.Principal, request *protocol.SearchRequest,
) (protocol.SearchAnswer, error) {
	if !p.May(identity.SearchConversations, uuid.Nil) {
		return protocol.SearchAnswer{}, ErrForbidden
	}
	before, err := parseSpot(request.Before)
	if err != nil {
		return protocol.SearchAnswer{}, err
	}
	q := query{principal: p, contact: contactOf(request), before: before}
	if !request.Text.IsEmpty() {
		if q.terms = newTerms(request.Text.String); q.terms.empty() {
			return protocol.SearchAnswer{}, ErrNoWords
		}
	}
	return s.answer(ctx, &q)
}

// query is a search under way.
type query struct {
	principal identity.Principal
	terms     terms
	contact   store.ContactValue
	before    store.Spot
}

func contactOf(r *protocol.SearchRequest) store.ContactValue {
	switch {
	case !r.Email.IsEmpty():
		return store.ContactValue{Field: store.ByEmail, Value: r.Email.String}
	case !r.Phone.IsEmpty():
		return store.ContactValue{Field: store.ByPhone, Value: r.Phone.String}
	case !r.ExternalID.IsEmpty():
		return store.ContactValue{Field: store.ByExternalID, Value: r.ExternalID.String}
	default:
		return store.ContactValue{}
	}
}

// answer looks further back until the page is full, nothing is left, or it has looked often enough.
func (s *Service) answer(ctx context.Context, q *query) (protocol.SearchAnswer, error) {
	answer := protocol.SearchAnswer{Hits: []protocol.SearchHit{}}
	next := &q.before
	for look := 0; look < maxLooks && next != nil && len(answer.Hits) < pageSize; look++ {
		found, err := s.look(ctx, q, *next)
		if err != nil {
			return protocol.SearchAnswer{}, err
		}
		next = found.Next
		for i := range found.Hits {
			hit, ok := q.show(&found.Hits[i])
			if !ok {
				continue
			}
			answer.Hits = append(answer.Hits, hit)
			if more := i < len(found.Hits)-1; len(answer.Hits) == pageSize && more {
				next = spotOf(&found.Hits[i])
				break
			}
		}
	}
	answer.Before = formatSpot(next)
	return answer, nil
}

func (s *Service) look(ctx context.Context, q *query, before store.Spot) (store.Found, error) {
	if q.terms.empty() {
		return s.store.FindConversations(ctx, q.contact, before, pageSize)
	}
	return s.store.FindMessages(ctx, &store.MessageQuery{
		Words: q.terms.words, Contact: q.contact, Before: before, Limit: pageSize,
	})
}

// show checks a hit against the text and against who asks.
func (q *query) show(hit *store.Hit) (protocol.SearchHit, bool) {
	c := &hit.Conversation
	if !q.principal.May(identity.ReadConversation, c.Visitor) {
		return protocol.SearchHit{}, false
	}
	shown := protocol.SearchHit{
		Conversation: c.ID, OpenedAt: protocol.Time{Time: c.OpenedAt}, Seq: hit.Seq, At: protocol.Time{Time: hit.At},
	}
	if q.principal.May(identity.ReadContact, c.Visitor) {
		shown.Contact = c.Contact.Shown()
	}
	if q.terms.empty() {
		return shown, true
	}
	word, ok := q.terms.findIn(hit.Text)
	if ok {
		shown.Excerpt = protocol.Text{String: excerpt(hit.Text, word)}
	}
	return shown, ok
}

// terms are the words that must all be said.
type terms struct {
	words []redacted.String
	set   map[string]bool
}

func newTerms(text redacted.String) terms {
	t := terms{set: map[string]bool{}}
	for word := range searchtext.Words(text) {
		if form := word.Reveal(); !t.set[form] && len(t.words) < maxWords {
			t.set[form] = true
			t.words = append(t.words, word.String)
		}
	}
	return t
}

func (t *terms) empty() bool { return len(t.words) == 0 }

// findIn tells whether a text has all words, and where the first of them stands.
func (t *terms) findIn(text redacted.String) (first searchtext.Word, ok bool) {
	found := map[string]bool{}
	for word := range searchtext.Words(text) {
		form := word.Reveal()
		if !t.set[form] {
			continue
		}
		if len(found) == 0 {
			first = word
		}
		if found[form] = true; len(found) == len(t.set) {
			return first, true
		}
	}
	return first, false
}
