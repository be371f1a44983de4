// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// registry knows the open sockets.
type registry struct {
	mu       sync.Mutex
	sockets  map[*socket]struct{}
	draining bool
	// empty is closed when the last socket of a draining server is gone.
	empty chan struct{}
}

func newRegistry() *registry {
	return &registry{sockets: map[*socket]struct{}{}, empty: make(chan struct{})}
}

// add refuses once the server is draining.
func (r *registry) add(c *socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return false
	}
	r.sockets[c] = struct{}{}
	return true
}

func (r *registry) remove(c *socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sockets, c)
	r.checkEmpty()
}

// checkEmpty is called with the lock held.
func (r *registry) checkEmpty() {
	if r.draining && len(r.sockets) == 0 {
		select {
		case <-r.empty:
		default:
			close(r.empty)
		}
	}
}

// drain stops taking sockets and asks the open ones to come back later, each at its own moment within spread.
func (r *registry) drain(spread time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
	for c := range r.sockets {
		select {
		case c.draining <- rand.N(spread): //nolint:gosec // Spreads load, hides nothing.
		default:
		}
	}
	r.checkEmpty()
}

// Drain takes no more sockets, asks the open ones to reconnect, which other replicas answer, each after a random part
// of spread, and waits until all are gone or ctx ends.
func (s *Server) Drain(ctx context.Context, spread time.Duration) {
	s.sockets.drain(spread)
	select {
	case <-s.sockets.empty:
	case <-ctx.Done():
	}
}
