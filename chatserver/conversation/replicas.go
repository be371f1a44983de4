// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/store"
)

// DefaultPollInterval suits a database that is not kept busy by polling.
const DefaultPollInterval = 10 * time.Second

const (
	// pollOverlap is more than any transaction lasts: a row's time is taken before its commit.
	pollOverlap = 30 * time.Second
	// relisten is the pause before listening again, doubled at random so that replicas do not come together.
	relisten = time.Second
	// preload is how many of the latest events of a conversation are read ahead for all its readers.
	preload = 16
)

// listen hears the other replicas for as long as ctx lasts.
func (e *Engine) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := e.store.Listen(ctx, (*listener)(e))
		if ctx.Err() != nil {
			return
		}
		e.log.Error("Lost the connection that hears other replicas", "err", err)
		select {
		case <-ctx.Done():
		case <-e.clock.After(relisten + rand.N(relisten)): //nolint:gosec // Spreads load, hides nothing.
		}
	}
}

// listener is the engine as the store's notifications see it.
type listener Engine

// Connected implements store.Listener: what happened before went unheard.
func (l *listener) Connected(context.Context) {
	l.remote.askPoll()
	l.attendees.askPoll()
}

// ConversationsTouched implements store.Listener.
func (l *listener) ConversationsTouched(_ context.Context, ids []uuid.UUID) {
	if !l.hub.empty() {
		l.remote.add(ids)
		return
	}
	for _, id := range ids {
		l.history.Load().recent.forget(id)
	}
}

// SessionsRevoked implements store.Listener.
func (l *listener) SessionsRevoked(_ context.Context, ids []uuid.UUID) {
	l.hub.endSessions(ids, ErrRevoked)
}

// EndSessions closes the sockets of agent sessions on this replica.
func (e *Engine) EndSessions(ids ...uuid.UUID) { e.hub.endSessions(ids, ErrRevoked) }

// inbox gathers what other replicas touched until someone looks: bursts become one read.
type inbox struct {
	mu   sync.Mutex
	ids  map[uuid.UUID]struct{}
	wake chan struct{}
	poll chan struct{}
}

func newInbox() *inbox {
	return &inbox{ids: map[uuid.UUID]struct{}{}, wake: make(chan struct{}, 1), poll: make(chan struct{}, 1)}
}

func (i *inbox) add(ids []uuid.UUID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, id := range ids {
		i.ids[id] = struct{}{}
	}
	ring(i.wake)
}

func (i *inbox) take() []uuid.UUID {
	i.mu.Lock()
	defer i.mu.Unlock()
	ids := slices.Collect(maps.Keys(i.ids))
	clear(i.ids)
	return ids
}

func (i *inbox) askPoll() { ring(i.poll) }

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// readRemote brings what other replicas committed to the readers of this one.
func (e *Engine) readRemote(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.remote.wake:
		}
		ids := e.remote.take()
		if err := e.readTouched(ctx, ids); err != nil && ctx.Err() == nil {
			// The slow poll finds them.
			e.log.Error("Cannot read what another replica wrote", "conversations", len(ids), "err", err)
		}
	}
}

func (e *Engine) readTouched(ctx context.Context, ids []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	touched, err := e.store.Heads(ctx, ids)
	if err != nil {
		return err
	}
	return e.announceRemote(ctx, touched)
}

// announceRemote reads the latest events once for all readers, then marks the conversations.
func (e *Engine) announceRemote(ctx context.Context, touched []store.Touched) error {
	h := e.history.Load()
	var after []store.Position
	wanted := touched[:0]
	for _, t := range touched {
		if !e.hub.interested(t.Visitor) {
			// Nobody hears of it, so what is cached may hold what was deleted meanwhile.
			h.recent.forget(t.Conversation)
			continue
		}
		wanted = append(wanted, t)
		if known := h.recent.last(t.Conversation); known < t.Head {
			after = append(after, store.Position{Conversation: t.Conversation, Seq: max(known, t.Head-preload)})
		}
	}
	err := e.preload(ctx, h, after, wanted)
	for _, t := range wanted {
		e.hub.touch(t)
	}
	return err
}

func (e *Engine) preload(ctx context.Context, h *history, after []store.Position, touched []store.Touched) error {
	if len(after) == 0 {
		return nil
	}
	visitors := make(map[uuid.UUID]uuid.UUID, len(touched))
	for _, t := range touched {
		visitors[t.Conversation] = t.Visitor
	}
	events, err := e.eventsOf(ctx, h, after, preload)
	for i := range events {
		e.remember(h, &events[i])
		e.hub.met(visitors[events[i].Conversation], &events[i])
	}
	return err
}

// poll finds what no notification told: conversations, ended sessions, a restored database.
func (e *Engine) poll(ctx context.Context) {
	ticker := e.clock.NewTicker(e.interval)
	defer ticker.Stop()
	last := e.clock.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.remote.poll:
		case <-ticker.C():
		}
		if e.hub.empty() {
			// Nobody hears what happens, so what is cached grows old.
			e.history.Load().recent.clear()
			last = e.clock.Now()
			continue
		}
		now := e.clock.Now()
		if err := e.pollOnce(ctx, now.Sub(last)+pollOverlap); err == nil {
			last = now
		} else if ctx.Err() == nil {
			e.log.Error("Cannot poll the database", "err", err)
		}
	}
}

func (e *Engine) pollOnce(ctx context.Context, since time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	epoch, err := e.store.Epoch(ctx)
	if err != nil {
		return err
	}
	e.noteEpoch(epoch)
	touched, err := e.store.TouchedWithin(ctx, since)
	if err != nil {
		return err
	}
	return errors.Join(e.announceRemote(ctx, touched), e.checkSessions(ctx))
}

// checkSessions ends the sockets of sessions that ended without our hearing of it.
func (e *Engine) checkSessions(ctx context.Context) error {
	sessions := e.hub.sessions()
	if len(sessions) == 0 {
		return nil
	}
	live, err := e.store.LiveSessions(ctx, sessions)
	if err != nil {
		return err
	}
	ended := slices.DeleteFunc(sessions, func(id uuid.UUID) bool { return slices.Contains(live, id) })
	e.hub.endSessions(ended, ErrRevoked)
	return nil
}
