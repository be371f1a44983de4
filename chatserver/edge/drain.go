// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// registry knows the open connections.
type registry struct {
	mu   sync.Mutex
	open map[*connection]struct{}
	// requests counts those with frames that are being answered.
	requests int
	draining bool
	// closing is when a draining server takes nobody any more.
	closing time.Time
	// empty is closed when the last connection of a draining server is gone and its last frame answered.
	empty chan struct{}
}

func newRegistry() *registry {
	return &registry{open: map[*connection]struct{}{}, empty: make(chan struct{})}
}

// A stay on a draining server is from half of shortStay to all of it.
const shortStay = time.Second

// add takes a connection, also one that comes to a draining server because the Service still names it: it is served and
// soon sent on, instead of turned away to wait and perhaps to come to the same again. It is refused once the others
// are gone or had their time to go.
func (r *registry) add(c *connection, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isClosed(now) {
		return &apiError{code: protocol.Unavailable, message: "this replica is going away", retryAfter: retryBusy}
	}
	r.open[c] = struct{}{}
	if r.draining {
		c.draining <- shortStay/2 + rand.N(shortStay/2) //nolint:gosec // Spreads load, hides nothing.
	}
	return nil
}

// isClosed is called with the lock held.
func (r *registry) isClosed(now time.Time) bool {
	select {
	case <-r.empty:
		return true
	default:
		return r.draining && now.After(r.closing)
	}
}

func (r *registry) remove(c *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
	r.checkEmpty()
}

// enter counts a request with frames, and says whether the server is draining.
func (r *registry) enter() (draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	return r.draining
}

func (r *registry) exit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests--
	r.checkEmpty()
}

// checkEmpty is called with the lock held.
func (r *registry) checkEmpty() {
	if r.draining && len(r.open) == 0 && r.requests == 0 {
		select {
		case <-r.empty:
		default:
			close(r.empty)
		}
	}
}

// drain asks the open connections to come back later, each at its own moment within spread.
func (r *registry) drain(spread time.Duration, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining, r.closing = true, now.Add(spread)
	for c := range r.open {
		c.goAway(rand.N(spread)) //nolint:gosec // Spreads load, hides nothing.
	}
	r.checkEmpty()
}

// Drain asks the open connections to reconnect, which other replicas answer, each after a random part of spread, and
// waits until all are gone or ctx ends. Those that come within spread are served and sent on too, later ones refused.
func (s *Server) Drain(ctx context.Context, spread time.Duration) {
	s.connections.drain(spread, s.clock.Now())
	select {
	case <-s.connections.empty:
	case <-ctx.Done():
	}
}
