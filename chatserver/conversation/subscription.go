// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// Reasons for which the engine ends a subscription.
var (
	// ErrRevoked says that the agent signed out or was signed out.
	ErrRevoked = errors.New("session ended")
	// ErrRestored says that the database went back to an earlier state.
	ErrRestored = errors.New("database was restored")
)

// window is how many conversations an agent is told of on arrival, besides those they have cursors for. Older ones
// appear when something happens in them.
const window = 200

// Subscription is one socket's view of the conversations its principal may read. Poll is for one goroutine, everything
// else is safe for concurrent use.
type Subscription struct {
	engine    *Engine
	history   *history
	principal identity.Principal
	wake      chan struct{}

	mu sync.Mutex
	// woken is called after wake was signalled, unless it is nil.
	woken   func()
	feeds   map[uuid.UUID]*feed
	queue   []uuid.UUID
	heads   map[uuid.UUID]int64
	notices map[noticeKey]notice
	// starting is set until the conversations to start with are known: notices of any are kept until then.
	starting   bool
	attendance attendance
	reason     error
}

// feed is how far a subscription is in one conversation.
type feed struct {
	// header is known once the conversation was read from the database; nil until then.
	header *store.Conversation
	// sent is the last seq handed out, head the last one known to exist.
	sent, head int64
	// delivered and read are what the client has told of.
	delivered, read int64
	announced       bool
	caughtUp        bool
	// reset is set if the client's cursor is not of this history.
	reset bool
	// gone is set if the client has a cursor for what it may not read.
	gone   bool
	queued bool
}

// Subscribe starts a view for p that continues after cursors. End it with Close.
func (e *Engine) Subscribe(
	ctx context.Context, p identity.Principal, cursors map[uuid.UUID]protocol.Cursor,
) (*Subscription, error) {
	if err := e.admit(p); err != nil {
		return nil, err
	}
	s := &Subscription{
		engine: e, principal: p, wake: make(chan struct{}, 1),
		feeds: map[uuid.UUID]*feed{}, heads: map[uuid.UUID]int64{}, notices: map[noticeKey]notice{}, starting: true,
	}
	// Registered before reading: what is committed meanwhile leaves a mark, so nothing falls between.
	e.hub.add(s)
	e.presence.came(s.person(), e.clock.Now())
	// And this after it: a history that ends from now on ends the subscription.
	s.history = e.history.Load()
	list, err := e.readable(ctx, p, cursors)
	if err = errors.Join(err, e.stillIn(s.history)); err != nil {
		s.Close()
		return nil, err
	}
	for i := range list {
		s.start(&list[i], cursors)
	}
	s.startGone(cursors)
	if err := s.startCompany(ctx, list); err != nil {
		s.Close()
		return nil, err
	}
	s.startPresence()
	return s, nil
}

// person is whose subscription it is.
func (s *Subscription) person() person { return person{Kind: s.principal.Kind, ID: s.principal.ID} }

// readable lists what p may read and should be told of, oldest first.
func (e *Engine) readable(
	ctx context.Context, p identity.Principal, cursors map[uuid.UUID]protocol.Cursor,
) ([]store.Conversation, error) {
	if p.Kind == protocol.Visitor {
		return e.store.VisitorConversations(ctx, p.ID)
	}
	list, err := e.store.RecentConversations(ctx, window)
	if err != nil {
		return nil, err
	}
	listed := map[uuid.UUID]bool{}
	for i := range list {
		listed[list[i].ID] = true
	}
	var others []uuid.UUID
	for id := range cursors {
		if !listed[id] {
			others = append(others, id)
		}
	}
	if len(others) == 0 {
		return list, nil
	}
	older, err := e.store.Conversations(ctx, others)
	return append(older, list...), err
}

// start begins the feed of a listed conversation at the client's cursor.
func (s *Subscription) start(c *store.Conversation, cursors map[uuid.UUID]protocol.Cursor) {
	if !s.principal.May(identity.ReadConversation, c.Visitor) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feed(c.ID)
	f.header, f.head = c, max(f.head, c.Head)
	if cursor, ok := cursors[c.ID]; ok {
		if cursor.Epoch == s.history.epoch && cursor.Seq >= 0 && cursor.Seq <= c.Head {
			f.sent = cursor.Seq
		} else {
			f.reset = true
		}
	}
	s.enqueue(c.ID, f)
}

// startGone has the client forget what it has a cursor for and may not read, or not any more: nothing else would tell
// that a restore took a whole conversation away.
func (s *Subscription) startGone(cursors map[uuid.UUID]protocol.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range cursors {
		if f := s.feed(id); f.header == nil {
			f.gone = true
			s.enqueue(id, f)
		}
	}
}

// mark notes that a conversation was opened or has a new head.
func (s *Subscription) mark(id uuid.UUID, head int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feed(id)
	if head <= f.head && f.announced {
		return
	}
	f.head = max(f.head, head)
	s.heads[id] = f.head
	s.enqueue(id, f)
}

func (s *Subscription) feed(id uuid.UUID) *feed {
	f, ok := s.feeds[id]
	if !ok {
		f = &feed{}
		s.feeds[id] = f
	}
	return f
}

// enqueue asks Poll to look at a feed. Called with the lock held.
func (s *Subscription) enqueue(id uuid.UUID, f *feed) {
	if !f.queued {
		f.queued = true
		s.queue = append(s.queue, id)
	}
	s.notify()
}

// notify is called with the lock held.
func (s *Subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	if s.woken != nil {
		s.woken()
	}
}

// Notify has f called whenever Ready is signalled from now on, and now if it is. f must not block nor use the
// subscription.
func (s *Subscription) Notify(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woken = f
	if len(s.wake) > 0 {
		f()
	}
}

// Heads returns the heads of the conversations that changed since the last call.
func (s *Subscription) Heads() map[uuid.UUID]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	heads := s.heads
	s.heads = map[uuid.UUID]int64{}
	return heads
}

// end makes Poll return reason.
func (s *Subscription) end(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == nil {
		s.reason = reason
	}
	s.notify()
}

// Close takes the subscription off the engine. It may be called again.
func (s *Subscription) Close() {
	if s.engine.hub.remove(s) {
		s.engine.presence.left(s.person(), s.engine.clock.Now())
	}
}
