// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// memory is a database in memory that keeps the promises of the real one: one order per conversation, each client id
// once, and another epoch for every earlier state that is put back.
type memory struct {
	mu            sync.Mutex
	epoch         int64
	order         []uuid.UUID
	conversations map[uuid.UUID]*memorised
	// stored has what stood at each place of each history.
	stored map[place]uuid.UUID
	// failing is how many of the next appends fail.
	failing int
}

type memorised struct {
	store.Conversation
	clientID uuid.UUID
	events   []store.Event
}

var errAway = errors.New("the database is away")

func newMemory() *memory {
	return &memory{epoch: 1, conversations: map[uuid.UUID]*memorised{}, stored: map[place]uuid.UUID{}}
}

// restore puts back a state in which every conversation has at most keep events.
func (m *memory) restore(keep int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	for _, c := range m.conversations {
		c.events = slices.Clone(c.events[:min(keep, len(c.events))])
		c.Head = int64(len(c.events))
		for i := range c.events {
			m.note(&c.events[i])
		}
	}
}

func (m *memory) note(e *store.Event) { m.stored[place{m.epoch, e.Conversation, e.Seq}] = e.ID }

func (m *memory) fail(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = n
}

func (m *memory) Append(_ context.Context, drafts []store.Draft, permit store.Permit) (store.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing > 0 {
		m.failing--
		return store.Appended{}, errAway
	}
	out := store.Appended{Epoch: m.epoch}
	for i := range drafts {
		out.Outcomes = append(out.Outcomes, m.place(&drafts[i], permit))
	}
	return out, nil
}

func (m *memory) place(d *store.Draft, permit store.Permit) store.Outcome {
	c := m.conversations[d.Conversation]
	if c == nil || !permit(d.Author, c.Visitor) {
		return store.Outcome{Err: store.ErrNotFound}
	}
	for _, e := range c.events {
		if e.Author.ID == d.Author.ID && e.ClientID == d.ClientID {
			return store.Outcome{Event: e, Visitor: c.Visitor, Duplicate: true}
		}
	}
	if d.Kind != protocol.KindMessage {
		i := slices.IndexFunc(c.events, func(e store.Event) bool {
			return e.ID == d.Target && e.Kind == protocol.KindMessage
		})
		switch {
		case i < 0:
			return store.Outcome{Err: store.ErrNotFound}
		case c.events[i].Author.ID != d.Author.ID:
			return store.Outcome{Err: store.ErrNotAuthor}
		}
	}
	c.Head++
	e := store.Event{
		Conversation: c.ID, Seq: c.Head, ID: uuid.New(), Kind: d.Kind, Target: d.Target, Author: d.Author,
		ClientID: d.ClientID, Body: d.Body,
	}
	c.events = append(c.events, e)
	m.note(&e)
	return store.Outcome{Event: e, Visitor: c.Visitor}
}

func (m *memory) OpenConversation(
	_ context.Context, visitor, clientID uuid.UUID, contact store.Contact,
) (store.Conversation, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conversations {
		if c.Visitor == visitor {
			return c.Conversation, false, nil
		}
	}
	c := &memorised{clientID: clientID, Conversation: store.Conversation{
		ID: uuid.New(), Visitor: visitor, Contact: contact,
	}}
	m.conversations[c.ID] = c
	m.order = append(m.order, c.ID)
	return c.Conversation, true, nil
}

func (m *memory) EventsAfter(_ context.Context, after []store.Position, limit int) ([]store.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Event
	for _, p := range after {
		if c := m.conversations[p.Conversation]; c != nil && int(p.Seq) < len(c.events) {
			rest := c.events[p.Seq:]
			out = append(out, rest[:min(limit, len(rest))]...)
		}
	}
	return out, nil
}

// list returns the conversations that are wanted, in the order in which they were opened.
func (m *memory) list(wanted func(*memorised) bool) []store.Conversation {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Conversation
	for _, id := range m.order {
		if c := m.conversations[id]; wanted(c) {
			out = append(out, c.Conversation)
		}
	}
	return out
}

func everything(*memorised) bool { return true }

func ofVisitor(visitor uuid.UUID) func(*memorised) bool {
	return func(c *memorised) bool { return c.Visitor == visitor }
}

func among(ids []uuid.UUID) func(*memorised) bool {
	return func(c *memorised) bool { return slices.Contains(ids, c.ID) }
}

func touched(list []store.Conversation) []store.Touched {
	out := make([]store.Touched, 0, len(list))
	for _, c := range list {
		out = append(out, store.Touched{Conversation: c.ID, Visitor: c.Visitor, Head: c.Head})
	}
	return out
}

func (m *memory) VisitorConversations(_ context.Context, visitor uuid.UUID) ([]store.Conversation, error) {
	return m.list(ofVisitor(visitor)), nil
}

func (m *memory) RecentConversations(context.Context, int) ([]store.Conversation, error) {
	return m.list(everything), nil
}

func (m *memory) Conversations(_ context.Context, ids []uuid.UUID) ([]store.Conversation, error) {
	return m.list(among(ids)), nil
}

func (m *memory) TouchedWithin(context.Context, time.Duration) ([]store.Touched, error) {
	return touched(m.list(everything)), nil
}

func (m *memory) Heads(_ context.Context, ids []uuid.UUID) ([]store.Touched, error) {
	return touched(m.list(among(ids))), nil
}

func (m *memory) VisitorHeads(_ context.Context, visitor uuid.UUID) ([]store.Touched, error) {
	return touched(m.list(ofVisitor(visitor))), nil
}

func (m *memory) Tell(context.Context, store.Signals) error { return nil }

func (m *memory) Receipts(context.Context, []uuid.UUID) ([]store.Receipt, error) { return nil, nil }

func (m *memory) Company(context.Context, []uuid.UUID) ([]store.Receipt, []store.Participation, error) {
	return nil, nil, nil
}

func (m *memory) KeepPresence(context.Context, time.Duration, []protocol.Participant, []protocol.Participant) error {
	return nil
}

func (m *memory) RestorePresence(context.Context, time.Duration, []protocol.Participant) error {
	return nil
}

func (m *memory) OtherReplicas(context.Context) ([]uuid.UUID, error) { return nil, nil }

func (m *memory) PresentElsewhere(context.Context, []uuid.UUID) ([]protocol.Participant, error) {
	return nil, nil
}

func (m *memory) AllPresentElsewhere(context.Context) ([]protocol.Participant, error) {
	return nil, nil
}

func (m *memory) LiveSessions(_ context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	return ids, nil
}

func (m *memory) Epoch(context.Context) (int64, error) { return m.KnownEpoch(), nil }

func (m *memory) KnownEpoch() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch
}

func (m *memory) Listen(ctx context.Context, l store.Listener) error {
	l.Connected(ctx)
	<-ctx.Done()
	return ctx.Err()
}
