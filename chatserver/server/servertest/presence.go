// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package servertest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// presence is who is there, as one session was told.
type presence struct {
	available *bool
	online    map[seat]bool
	farewells int
}

// seat is somebody in a conversation, or, of agents to agents, in none.
type seat struct{ conversation, person uuid.UUID }

// begin forgets what another connection was told.
func (p *presence) begin() { p.available, p.online = nil, map[seat]bool{} }

func (p *presence) hear(f *protocol.Presence) {
	if f.Available != nil {
		p.available = f.Available
	}
	for _, a := range f.People {
		s := seat{person: a.ID}
		if a.Conversation != nil {
			s.conversation = *a.Conversation
		}
		if p.online[s] && !a.Online {
			p.farewells++
		}
		p.online[s] = a.Online
	}
}

// WaitOnline waits until the session was told that somebody is online, or offline, in a conversation; uuid.Nil is for
// an agent's colleagues.
func (a *Attendance) WaitOnline(tb testing.TB, conversation, person uuid.UUID, online bool) {
	tb.Helper()
	what := fmt.Sprintf("somebody to be online: %t", online)
	a.wait(tb, what, func() bool { return a.presence.online[seat{conversation, person}] == online })
}

// WaitAvailable waits until the visitor was told whether any agent is there.
func (a *Attendance) WaitAvailable(tb testing.TB, available bool) {
	tb.Helper()
	a.wait(tb, fmt.Sprintf("an agent to be there: %t", available), func() bool {
		return a.presence.available != nil && *a.presence.available == available
	})
}

// Farewells counts how often the session was told that somebody went offline.
func (a *Attendance) Farewells() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.presence.farewells
}
