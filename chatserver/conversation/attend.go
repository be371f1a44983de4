// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// PresenceTiming says how soon who is gone counts as offline.
type PresenceTiming struct {
	// Grace is how long somebody without a socket stays online.
	Grace time.Duration
	// Lease is how long the others believe a replica that has fallen silent, Renew how often one speaks and looks
	// whether the others do.
	Lease, Renew time.Duration
}

// DefaultPresenceTiming makes the people of a replica that died offline within 18 s; any other of them has come back by
// then.
func DefaultPresenceTiming() PresenceTiming {
	return PresenceTiming{Grace: 6 * time.Second, Lease: 9 * time.Second, Renew: 3 * time.Second}
}

const (
	// presenceInterval bounds how often changes are written, read and told; what comes meanwhile goes together.
	presenceInterval = 250 * time.Millisecond
	// presenceReread is after how many looks at the others everything is read again, should a notification be lost.
	presenceReread = 10
)

// Available tells whether any agent is online, at any replica.
func (e *Engine) Available() bool { return e.presence.available() }

// settlePresence tells subscriptions who came and who is gone for good.
func (e *Engine) settlePresence(ctx context.Context) {
	for {
		moved, wait := e.presence.settle(e.clock.Now())
		e.metrics.observePresence(e.presence)
		if len(moved) > 0 {
			e.hub.tellMoved(moved, e.presence.available())
		}
		var over <-chan time.Time
		if wait > 0 {
			over = e.clock.After(max(wait, presenceInterval))
		}
		select {
		case <-ctx.Done():
			return
		case <-over:
			continue
		case <-e.presence.stirred:
		}
		if !e.pause(ctx, presenceInterval) {
			return
		}
	}
}

// pause waits for d and tells whether ctx goes on.
func (e *Engine) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-e.clock.After(d):
		return true
	}
}

// tellMoved says to everyone who may know whose presence changed.
func (h *hub) tellMoved(everybody map[person]struct{}, available bool) {
	agents, only := []person{}, map[person]struct{}{}
	for who := range everybody {
		if who.Kind == protocol.Agent {
			agents = append(agents, who)
			only[who] = struct{}{}
		}
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.agents {
		s.moved(everybody, agents, available)
	}
	if len(agents) == 0 {
		return
	}
	for _, own := range h.visitors {
		for s := range own {
			s.moved(only, nil, available)
		}
	}
}

// writePresence tells the other replicas who is connected here for as long as ctx lasts. Nothing is taken back at the
// end: the lease runs out, and whoever was here has the time until then to come back elsewhere.
func (e *Engine) writePresence(ctx context.Context) {
	renewal := e.clock.NewTicker(e.timing.Renew)
	defer renewal.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-renewal.C():
		case <-e.presence.written:
		}
		failing = e.notePresence(ctx, "tell other replicas who is connected", e.writePresenceOnce(ctx), failing)
		if !e.pause(ctx, presenceInterval) {
			return
		}
	}
}

// notePresence logs the first of a row of failures, and that it is over. It returns whether the last attempt failed.
func (e *Engine) notePresence(ctx context.Context, what string, err error, failing bool) bool {
	switch {
	case err == nil && failing:
		e.log.Info("Can " + what + " again")
	case err != nil && ctx.Err() == nil:
		e.metrics.presenceErrors.Inc()
		if !failing {
			e.log.Error("Cannot "+what, "err", err)
		}
	}
	return err != nil
}

func (e *Engine) writePresenceOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	came, left := e.presence.takeUnwritten()
	here := e.presence.everybodyHere()
	if len(here) == 0 && len(left) == 0 {
		return nil // A replica without sockets costs nothing.
	}
	err := e.store.KeepPresence(ctx, e.timing.Lease, came, left)
	if errors.Is(err, store.ErrLapsed) {
		err = e.store.RestorePresence(ctx, e.timing.Lease, here)
	}
	if err != nil {
		e.presence.putBack(slices.Concat(came, left)...)
	}
	return err
}

// PresenceMoved implements store.Listener.
func (l *listener) PresenceMoved(_ context.Context, ids []uuid.UUID) {
	if len(ids) == 0 {
		l.attendees.askPoll()
		return
	}
	l.attendees.add(ids)
}

// readPresence follows who is connected to the other replicas, and whether those live.
func (e *Engine) readPresence(ctx context.Context) {
	ticker := e.clock.NewTicker(e.timing.Renew)
	defer ticker.Stop()
	others, failing := otherReplicas{heard: e.clock.Now()}, false
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-e.attendees.wake:
			err = e.readSome(ctx, e.attendees.take())
		case <-e.attendees.poll:
			others.unread = true
			err = e.lookAtOthers(ctx, &others)
		case <-ticker.C():
			err = e.lookAtOthers(ctx, &others)
		}
		others.unread = others.unread || err != nil
		failing = e.notePresence(ctx, "read who is connected to other replicas", err, failing)
		if !e.pause(ctx, presenceInterval) {
			return
		}
	}
}

// otherReplicas is what was seen of them.
type otherReplicas struct {
	live  []uuid.UUID
	heard time.Time
	looks int
	// unread is set when something may have been missed, until everybody was read.
	unread bool
}

// lookAtOthers reads everybody anew when a replica appeared or went away. Whoever cannot look does not know: what was
// heard holds no longer than a lease.
func (e *Engine) lookAtOthers(ctx context.Context, o *otherReplicas) error {
	now := e.clock.Now()
	if e.presence.nobody() && !o.unread {
		o.heard = now
		return nil
	}
	live, err := e.otherReplicas(ctx)
	o.looks++
	if err == nil && (o.unread || o.looks%presenceReread == 0 || !slices.Equal(live, o.live)) {
		err = e.readEverybody(ctx)
	}
	switch {
	case err == nil:
		o.live, o.heard, o.unread = live, now, false
	case e.clock.Since(o.heard) > e.timing.Lease:
		e.presence.heard(true, nil, nil, now)
	}
	return err
}

func (e *Engine) otherReplicas(ctx context.Context) ([]uuid.UUID, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timing.Renew)
	defer cancel()
	return e.store.OtherReplicas(ctx)
}

func (e *Engine) readEverybody(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	present, err := e.store.AllPresentElsewhere(ctx)
	if err == nil {
		e.presence.heard(true, nil, present, e.clock.Now())
	}
	return err
}

func (e *Engine) readSome(ctx context.Context, ids []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	present, err := e.store.PresentElsewhere(ctx, ids)
	if err == nil {
		e.presence.heard(false, ids, present, e.clock.Now())
	}
	return err
}
