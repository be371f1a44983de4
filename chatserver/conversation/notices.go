// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"maps"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// notice is something a participant did of which only the latest counts. It has no place in the order and may be
// skipped when another of its kind follows. It is a value: the subscriptions that are told share nothing.
type notice struct {
	noticeKey
	typing          bool
	delivered, read int64
}

// noticeKey is what a later notice replaces.
type noticeKey struct {
	kind protocol.FrameType
	who  store.Participation
}

func typingNotice(t *store.Typing) notice {
	return notice{noticeKey: noticeKey{protocol.TypeTyping, t.Participation}, typing: t.Typing}
}

func receiptNotice(r *store.Receipt) notice {
	return notice{
		noticeKey: noticeKey{protocol.TypeReceipt, r.Participation}, delivered: r.Delivered, read: r.Read,
	}
}

// frame makes the notice's own: encoding writes to a frame.
func (n *notice) frame() protocol.Frame {
	who := protocol.Participant{Kind: n.who.Kind, ID: n.who.ID}
	if n.kind == protocol.TypeTyping {
		return &protocol.TypingNotice{Conversation: n.who.Conversation, Author: who, Typing: n.typing}
	}
	return &protocol.ReceiptNotice{
		Conversation: n.who.Conversation, Reader: who, Delivered: n.delivered, Read: n.read,
	}
}

// tell gives a notice to everyone who may read the conversations of visitor, but not to the subscription it came from.
func (h *hub) tell(visitor uuid.UUID, n notice, from *Subscription) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.agents {
		if s != from {
			s.note(n)
		}
	}
	for s := range h.visitors[visitor] {
		if s != from {
			s.note(n)
		}
	}
}

// note keeps a notice until Poll. Nobody is told that they type themselves, nor anything about conversations that they
// were not told of: should such a one be announced later, its receipts are read then.
func (s *Subscription) note(n notice) {
	if n.kind == protocol.TypeTyping && n.who.ID == s.principal.ID {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.feeds[n.who.Conversation]; !ok && !s.starting {
		return
	}
	// What was read from the database may be older than what was heard meanwhile.
	known := s.notices[n.noticeKey]
	n.delivered, n.read = max(n.delivered, known.delivered), max(n.read, known.read)
	s.notices[n.noticeKey] = n
	s.notify()
}

// forgetNotices drops the notices of conversations that the subscription has no feed of. Called with the lock held.
func (s *Subscription) forgetNotices() {
	maps.DeleteFunc(s.notices, func(key noticeKey, _ notice) bool {
		_, ok := s.feeds[key.who.Conversation]
		return !ok
	})
}

// takeNotices encodes the notices of conversations that the client was told of and has caught up with, and what changed
// about who is there. The others wait.
func (s *Subscription) takeNotices() ([][]byte, error) {
	out := encoder{}
	for _, n := range s.dueNotices() {
		out.add(n.frame())
	}
	for _, frame := range s.takePresence() {
		out.add(frame)
	}
	return out.frames, out.err
}

func (s *Subscription) dueNotices() []notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []notice
	for key, n := range s.notices {
		if f, ok := s.feeds[key.who.Conversation]; ok && f.caughtUp {
			due = append(due, n)
			delete(s.notices, key)
		}
	}
	return due
}

// startCompany notes the receipts of the conversations that a subscription starts with, and whom it follows there.
func (s *Subscription) startCompany(ctx context.Context, list []store.Conversation) error {
	ids := make([]uuid.UUID, 0, len(list))
	for i := range list {
		// Where nothing was said nobody has read or written.
		if list[i].Head > 0 {
			ids = append(ids, list[i].ID)
		}
	}
	err := s.loadCompany(ctx, ids...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = false
	s.forgetNotices()
	return err
}

// loadCompany reads who else has left something in conversations: receipts, and for a visitor the agents who wrote.
func (s *Subscription) loadCompany(ctx context.Context, ids ...uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	receipts, agents, err := s.readCompany(ctx, ids)
	for i := range receipts {
		s.note(receiptNotice(&receipts[i]))
	}
	for _, a := range agents {
		s.follow(a.Conversation, person{Kind: a.Kind, ID: a.ID})
	}
	return err
}

func (s *Subscription) readCompany(
	ctx context.Context, ids []uuid.UUID,
) ([]store.Receipt, []store.Participation, error) {
	if s.principal.Kind == protocol.Visitor {
		return s.engine.store.Company(ctx, ids)
	}
	receipts, err := s.engine.store.Receipts(ctx, ids)
	return receipts, nil, err
}
