// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// notice is something about a participant of which only the latest counts. It has no place in the order and may be
// skipped when another of its kind follows.
type notice struct {
	kind protocol.FrameType
	who  store.Participation
	// frame makes it, for each subscription its own: encoding writes to a frame.
	frame func() protocol.Frame
}

// noticeKey is what a later notice replaces.
type noticeKey struct {
	kind protocol.FrameType
	who  store.Participation
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

// note keeps a notice until Poll. Nobody is told that they type themselves.
func (s *Subscription) note(n notice) {
	if n.kind == protocol.TypeTyping && n.who.ID == s.principal.ID {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices[noticeKey{n.kind, n.who}] = n.frame
	s.notify()
}

// takeNotices encodes the notices of conversations that the client was told of and has caught up with. The others wait.
func (s *Subscription) takeNotices() ([][]byte, error) {
	s.mu.Lock()
	due := []func() protocol.Frame{}
	for key, frame := range s.notices {
		if f, ok := s.feeds[key.who.Conversation]; ok && f.caughtUp {
			due = append(due, frame)
			delete(s.notices, key)
		}
	}
	s.mu.Unlock()
	out := encoder{}
	for _, frame := range due {
		out.add(frame())
	}
	return out.frames, out.err
}

// startReceipts notes the receipts of the conversations that a subscription starts with.
func (s *Subscription) startReceipts(ctx context.Context, list []store.Conversation) error {
	ids := make([]uuid.UUID, 0, len(list))
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	if len(ids) == 0 {
		return nil
	}
	receipts, err := s.engine.store.Receipts(ctx, ids)
	for i := range receipts {
		s.note(receiptNotice(&receipts[i]))
	}
	return err
}
