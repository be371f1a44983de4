// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// hub knows who listens on this replica.
type hub struct {
	mu sync.RWMutex
	// agents read every conversation of the tenant, visitors their own.
	agents   map[*Subscription]struct{}
	visitors map[uuid.UUID]map[*Subscription]struct{}
}

func newHub() hub {
	return hub{agents: map[*Subscription]struct{}{}, visitors: map[uuid.UUID]map[*Subscription]struct{}{}}
}

func (h *hub) add(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.principal.Kind == protocol.Agent {
		h.agents[s] = struct{}{}
		return
	}
	if h.visitors[s.principal.ID] == nil {
		h.visitors[s.principal.ID] = map[*Subscription]struct{}{}
	}
	h.visitors[s.principal.ID][s] = struct{}{}
}

// remove tells whether s was there.
func (h *hub) remove(s *Subscription) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, agent := h.agents[s]
	_, visitor := h.visitors[s.principal.ID][s]
	delete(h.agents, s)
	delete(h.visitors[s.principal.ID], s)
	if len(h.visitors[s.principal.ID]) == 0 {
		delete(h.visitors, s.principal.ID)
	}
	return agent || visitor
}

// count is the number of subscriptions of p's own: an agent's or a visitor's.
func (h *hub) count(p identity.Principal) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if p.Kind == protocol.Visitor {
		return len(h.visitors[p.ID])
	}
	n := 0
	for s := range h.agents {
		if s.principal.ID == p.ID {
			n++
		}
	}
	return n
}

func (h *hub) empty() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.agents) == 0 && len(h.visitors) == 0
}

// interested tells whether anybody here reads the conversations of visitor.
func (h *hub) interested(visitor uuid.UUID) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.agents) > 0 || len(h.visitors[visitor]) > 0
}

// met makes a visitor's subscriptions follow an agent who has written to them.
func (h *hub) met(visitor uuid.UUID, event *store.Event) {
	if event.Author.Kind != protocol.Agent {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.visitors[visitor] {
		s.follow(event.Conversation, person{Kind: event.Author.Kind, ID: event.Author.ID})
	}
}

// touch marks the conversation on everyone who may read it.
func (h *hub) touch(t store.Touched) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.agents {
		s.mark(t.Conversation, t.Head)
	}
	for s := range h.visitors[t.Visitor] {
		s.mark(t.Conversation, t.Head)
	}
}

// sessions lists the agent sessions that have a socket here.
func (h *hub) sessions() []uuid.UUID {
	h.mu.RLock()
	defer h.mu.RUnlock()
	set := map[uuid.UUID]struct{}{}
	for s := range h.agents {
		set[s.principal.Session] = struct{}{}
	}
	return slices.Collect(maps.Keys(set))
}

// endSessions ends the subscriptions of agent sessions.
func (h *hub) endSessions(ids []uuid.UUID, reason error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.agents {
		if slices.Contains(ids, s.principal.Session) {
			s.end(reason)
		}
	}
}

func (h *hub) endAll(reason error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.agents {
		s.end(reason)
	}
	for _, own := range h.visitors {
		for s := range own {
			s.end(reason)
		}
	}
}
