// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
)

const (
	// page is how many events are read from the database at once: it bounds what a reader holds in memory.
	page = 50
	// readTimeout bounds one read.
	readTimeout = 5 * time.Second
	// readRetry is the pause after a failed read.
	readRetry = time.Second
)

// Ready is signalled when Poll may have something.
func (s *Subscription) Ready() <-chan struct{} { return s.wake }

// Poll returns the next frames, encoded, of one conversation: its announcement, a reset, events in order without gaps,
// caught_up; or the notices that are due when no conversation has anything. It returns nothing if nothing is due; a
// database that is away is tried again later. It returns an error when the subscription was ended: ErrRevoked or
// ErrRestored.
func (s *Subscription) Poll(ctx context.Context) ([][]byte, error) {
	id, f, ok, err := s.pop()
	if err != nil {
		return nil, err
	}
	if !ok {
		return s.takeNotices()
	}
	frames, err := s.read(ctx, id, &f)
	s.put(id, &f, err)
	if errors.Is(err, ErrRestored) {
		return frames, err
	}
	if err != nil && ctx.Err() == nil {
		s.engine.log.Error("Cannot read a conversation", "conversation", id, "err", err)
		s.engine.metrics.readErrors.Inc()
	}
	return frames, nil
}

func (s *Subscription) pop() (uuid.UUID, feed, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil || len(s.queue) == 0 {
		return uuid.Nil, feed{}, false, s.reason
	}
	id := s.queue[0]
	s.queue = s.queue[1:]
	if len(s.queue) > 0 || len(s.notices) > 0 || s.attendance.waits(s.principal.Kind) {
		s.notify()
	}
	f := s.feeds[id]
	f.queued = false
	return id, *f, true, nil
}

// put writes back what the reader changed; head and queued may have moved meanwhile. A conversation with more to send
// goes to the end of the queue, so that a long one does not hold up the others.
func (s *Subscription) put(id uuid.UUID, f *feed, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.feeds[id]
	current.header, current.sent, current.announced = f.header, f.sent, f.announced
	current.caughtUp, current.reset, current.gone = f.caughtUp, f.reset, f.gone
	current.head = max(current.head, f.head)
	switch {
	case isLost(err):
		delete(s.feeds, id)
		delete(s.heads, id)
		s.forgetNotices()
		s.unfollow(id)
	case err != nil:
		s.enqueueLater(id, current)
	case current.sent < current.head:
		s.enqueue(id, current)
	}
}

// enqueueLater tries a feed again after a pause, which a conversation that changes meanwhile cuts short. Called with
// the lock held.
func (s *Subscription) enqueueLater(id uuid.UUID, f *feed) {
	s.engine.clock.AfterFunc(readRetry, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.feeds[id] == f {
			s.enqueue(id, f)
		}
	})
}

// isLost tells errors that trying again cannot mend.
func isLost(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, seal.ErrRefused)
}

// read produces the frames that are due for one conversation and moves the feed.
func (s *Subscription) read(ctx context.Context, id uuid.UUID, f *feed) (frames [][]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out := encoder{}
	if f.gone {
		out.add(&protocol.Reset{Conversation: id, Epoch: s.history.epoch})
		f.gone = false
		return out.frames, out.err
	}
	if !f.announced {
		if err := s.announce(ctx, id, f, &out); err != nil {
			return nil, err
		}
	}
	if f.reset {
		out.add(&protocol.Reset{Conversation: id, Epoch: s.history.epoch})
		f.reset = false
	}
	if f.sent < f.head {
		after := store.Position{Conversation: id, Seq: f.sent}
		events, err := s.engine.eventsAfter(ctx, s.history, after, f.head, f.header.Visitor)
		if err != nil {
			return out.frames, errors.Join(err, out.err)
		}
		f.sent += int64(len(events))
		out.frames = append(out.frames, events...)
	}
	if !f.caughtUp && f.sent >= f.head {
		out.add(&protocol.CaughtUp{Conversation: id, Epoch: s.history.epoch, Seq: f.sent})
		f.caughtUp = true
	}
	return out.frames, out.err
}

func (s *Subscription) announce(ctx context.Context, id uuid.UUID, f *feed, out *encoder) error {
	if err := s.loadHeader(ctx, id, f); err != nil {
		return err
	}
	if s.principal.Kind == protocol.Agent {
		s.follow(id, person{Kind: protocol.Visitor, ID: f.header.Visitor})
	}
	frame := &protocol.Conversation{Conversation: id, OpenedAt: protocol.Time{Time: f.header.OpenedAt}, Head: f.head}
	if s.principal.May(identity.ReadContact, f.header.Visitor) {
		frame.Contact = f.header.Contact.Shown()
	}
	out.add(frame)
	f.announced = true
	return nil
}

// loadHeader reads the conversation unless the listing already did.
func (s *Subscription) loadHeader(ctx context.Context, id uuid.UUID, f *feed) error {
	if f.header != nil {
		return nil
	}
	found, err := s.engine.store.Conversations(ctx, []uuid.UUID{id})
	if err != nil {
		return err
	}
	if len(found) == 0 || !s.principal.May(identity.ReadConversation, found[0].Visitor) {
		return fmt.Errorf("conversation: %w", store.ErrNotFound)
	}
	if found[0].Head > 0 {
		if err := s.loadCompany(ctx, id); err != nil {
			return err
		}
	}
	f.header, f.head = &found[0], max(f.head, found[0].Head)
	return nil
}

// eventsAfter returns the next encoded events of a visitor's conversation, out of the cache if it reaches back so far
// and up to head.
func (e *Engine) eventsAfter(
	ctx context.Context, h *history, after store.Position, head int64, visitor uuid.UUID,
) ([][]byte, error) {
	if frames, ok := h.recent.after(after.Conversation, after.Seq, head); ok {
		return frames, nil
	}
	e.metrics.pages.Inc()
	events, err := e.eventsOf(ctx, h, []store.Position{after}, page)
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, 0, len(events))
	for i := range events {
		if events[i].Seq != after.Seq+int64(i)+1 {
			return nil, fmt.Errorf("event %d follows %d", events[i].Seq, after.Seq+int64(i))
		}
		e.hub.met(visitor, &events[i])
		frame, err := h.encode(&events[i])
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	if len(frames) == 0 {
		return nil, errMissing
	}
	return frames, nil
}

var errMissing = errors.New("events below the head are missing")

// encoder collects encoded frames and the first error.
type encoder struct {
	frames [][]byte
	err    error
}

func (e *encoder) add(f protocol.Frame) {
	data, err := protocol.Encode(f)
	if err != nil {
		e.err = errors.Join(e.err, err)
		return
	}
	e.frames = append(e.frames, data)
}
