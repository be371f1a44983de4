// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// tellInterval bounds how often this replica tells the others of typing and receipts; what comes meanwhile goes
// together.
const tellInterval = 100 * time.Millisecond

// maxUntold bounds what waits while the database is away. Beyond it receipts are dropped: clients tell theirs again.
const maxUntold = 4096

// untold gathers what the other replicas are to hear: of each participant the latest.
type untold struct {
	mu       sync.Mutex
	receipts map[store.Participation]store.Receipt
	typing   map[store.Participation]store.Typing
	wake     chan struct{}
}

func newUntold() *untold {
	return &untold{
		receipts: map[store.Participation]store.Receipt{}, typing: map[store.Participation]store.Typing{},
		wake: make(chan struct{}, 1),
	}
}

func (u *untold) addReceipt(r store.Receipt) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.receipts[r.Participation]
	if !ok && len(u.receipts) >= maxUntold {
		return
	}
	r.Delivered, r.Read = max(r.Delivered, known.Delivered), max(r.Read, known.Read)
	u.receipts[r.Participation] = r
	ring(u.wake)
}

func (u *untold) addTyping(t store.Typing) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.typing) < maxUntold {
		u.typing[t.Participation] = t
		ring(u.wake)
	}
}

func (u *untold) take() store.Signals {
	u.mu.Lock()
	defer u.mu.Unlock()
	signals := store.Signals{
		Receipts: slices.Collect(maps.Values(u.receipts)), Typing: slices.Collect(maps.Values(u.typing)),
	}
	clear(u.receipts)
	clear(u.typing)
	return signals
}

// tell brings this replica's typing and receipts to the others for as long as ctx lasts.
func (e *Engine) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.untold.wake:
		}
		signals := e.untold.take()
		if err := e.tellOnce(ctx, signals); err != nil && ctx.Err() == nil {
			e.log.Error("Cannot tell other replicas of receipts", "receipts", len(signals.Receipts), "err", err)
			for _, r := range signals.Receipts {
				e.untold.addReceipt(r)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-e.clock.After(tellInterval):
		}
	}
}

func (e *Engine) tellOnce(ctx context.Context, signals store.Signals) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return e.store.Tell(ctx, signals)
}

// Typing passes on that the subscription's principal began or stopped writing.
func (s *Subscription) Typing(f *protocol.Typing) {
	visitor, ok := s.known(f.Conversation)
	if !ok || !s.principal.May(identity.WriteConversation, visitor) {
		return
	}
	t := store.Typing{Participation: s.participation(f.Conversation), Visitor: visitor, Typing: f.Typing}
	s.engine.hub.tell(t.Visitor, typingNotice(&t), s)
	s.engine.untold.addTyping(t)
}

// Receipt notes how far the subscription's principal has received and read a conversation. Nobody has received more
// than was sent to them.
func (s *Subscription) Receipt(f *protocol.Receipt) {
	visitor, r, grown := s.grow(f)
	if !grown {
		return
	}
	s.engine.hub.tell(visitor, receiptNotice(&r), s)
	s.engine.untold.addReceipt(r)
}

// grow notes what is new in a receipt, and says whether anything is.
func (s *Subscription) grow(frame *protocol.Receipt) (visitor uuid.UUID, r store.Receipt, grown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.feeds[frame.Conversation]
	if !ok || !f.announced {
		return uuid.Nil, r, false
	}
	read := max(f.read, min(frame.Read, f.sent))
	delivered := max(f.delivered, read, min(frame.Delivered, f.sent))
	grown = read > f.read || delivered > f.delivered
	f.read, f.delivered = read, delivered
	r = store.Receipt{Participation: s.participation(frame.Conversation), Delivered: delivered, Read: read}
	return f.header.Visitor, r, grown
}

func (s *Subscription) participation(conversation uuid.UUID) store.Participation {
	return store.Participation{Conversation: conversation, Kind: s.principal.Kind, ID: s.principal.ID}
}

// known says whose a conversation is that this subscription was told of.
func (s *Subscription) known(conversation uuid.UUID) (visitor uuid.UUID, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.feeds[conversation]
	if !ok || !f.announced {
		return uuid.Nil, false
	}
	return f.header.Visitor, true
}

// ReceiptsMoved implements store.Listener.
func (l *listener) ReceiptsMoved(_ context.Context, ids []uuid.UUID) {
	if !l.hub.empty() {
		l.moved.add(ids)
	}
}

// readMoved brings receipts that other replicas stored to the readers of this one. It reads apart from the listening,
// which messages wait for.
func (e *Engine) readMoved(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.moved.wake:
		}
		ids := e.moved.take()
		if err := e.readReceipts(ctx, ids); err != nil && ctx.Err() == nil {
			// The next receipt of the same reader makes up for it.
			e.log.Error("Cannot read receipts", "conversations", len(ids), "err", err)
		}
	}
}

func (e *Engine) readReceipts(ctx context.Context, ids []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	touched, err := e.store.Heads(ctx, ids)
	if err != nil {
		return err
	}
	receipts, err := e.store.Receipts(ctx, ids)
	if err != nil {
		return err
	}
	visitors := map[uuid.UUID]uuid.UUID{}
	for _, t := range touched {
		visitors[t.Conversation] = t.Visitor
	}
	for i := range receipts {
		e.hub.tell(visitors[receipts[i].Conversation], receiptNotice(&receipts[i]), nil)
	}
	return nil
}

// Typing implements store.Listener.
func (l *listener) Typing(_ context.Context, typing []store.Typing) {
	for i := range typing {
		l.hub.tell(typing[i].Visitor, typingNotice(&typing[i]), nil)
	}
}
