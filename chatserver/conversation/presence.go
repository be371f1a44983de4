// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// person is an agent or a visitor; the kind keeps a subscription from telling one for the other.
type person = protocol.Participant

// presence is who is online at all replicas, as this one knows it. Who is gone counts as online for a grace: a page
// that is loaded anew, a move to another replica, or a lease taken again changes nothing for anyone.
type presence struct {
	grace time.Duration

	mu sync.RWMutex
	// here counts the subscriptions on this replica, elsewhere is what the others said last.
	here      map[person]int
	elsewhere map[person]struct{}
	// online holds those who count as such, leaving since when those of them are gone that are.
	online  map[person]struct{}
	leaving map[person]time.Time
	// agents are how many of those online are agents.
	agents int
	// moved gathers who became online or offline until subscriptions hear of it, unwritten who came here or left until
	// the other replicas do.
	moved, unwritten map[person]struct{}
	// stirred is rung when moved or leaving may have grown, written when unwritten has.
	stirred, written chan struct{}
}

func newPresence(grace time.Duration) *presence {
	return &presence{
		grace: grace, here: map[person]int{}, elsewhere: map[person]struct{}{},
		online: map[person]struct{}{}, leaving: map[person]time.Time{},
		moved: map[person]struct{}{}, unwritten: map[person]struct{}{},
		stirred: make(chan struct{}, 1), written: make(chan struct{}, 1),
	}
}

// came notes a new subscription of who on this replica.
func (p *presence) came(who person, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here[who]++
	if p.here[who] == 1 {
		p.noteUnwritten(who)
		p.look(who, now)
	}
}

// left notes that a subscription of who on this replica has ended.
func (p *presence) left(who person, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here[who]--
	if p.here[who] <= 0 {
		delete(p.here, who)
		p.noteUnwritten(who)
		p.look(who, now)
	}
}

// heard notes who of ids, or of everybody if all is set, is connected to other replicas.
func (p *presence) heard(all bool, ids []uuid.UUID, present []person, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := map[uuid.UUID]struct{}{}
	for _, id := range ids {
		asked[id] = struct{}{}
	}
	gone := map[person]struct{}{}
	for who := range p.elsewhere {
		if _, ok := asked[who.ID]; ok || all {
			gone[who] = struct{}{}
		}
	}
	for _, who := range present {
		delete(gone, who)
		p.elsewhere[who] = struct{}{}
		p.look(who, now)
	}
	for who := range gone {
		delete(p.elsewhere, who)
		p.look(who, now)
	}
}

// look brings online and leaving up to date for one person. Called with the lock held.
func (p *presence) look(who person, now time.Time) {
	_, elsewhere := p.elsewhere[who]
	_, online := p.online[who]
	_, leaving := p.leaving[who]
	switch present := elsewhere || p.here[who] > 0; {
	case present && !online:
		p.online[who] = struct{}{}
		p.turned(who, 1)
	case present && leaving:
		delete(p.leaving, who)
	case !present && online && !leaving:
		p.leaving[who] = now
		ring(p.stirred)
	}
}

// turned notes that somebody became online (1) or offline (-1).
func (p *presence) turned(who person, change int) {
	if who.Kind == protocol.Agent {
		p.agents += change
	}
	p.moved[who] = struct{}{}
	ring(p.stirred)
}

func (p *presence) noteUnwritten(who person) {
	p.unwritten[who] = struct{}{}
	ring(p.written)
}

// settle makes those offline whose grace is over and returns everybody who became online or offline since the last
// call. wait is how long until somebody's grace ends, 0 if nobody is leaving.
func (p *presence) settle(now time.Time) (moved map[person]struct{}, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for who, since := range p.leaving {
		left := since.Add(p.grace).Sub(now)
		if left <= 0 {
			delete(p.leaving, who)
			delete(p.online, who)
			p.turned(who, -1)
			continue
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	moved = p.moved
	p.moved = map[person]struct{}{}
	return moved, wait
}

func (p *presence) isOnline(who person) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.online[who]
	return ok
}

// available tells whether any agent is online.
func (p *presence) available() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.agents > 0
}

// colleagues lists the agents online.
func (p *presence) colleagues() []person {
	p.mu.RLock()
	defer p.mu.RUnlock()
	agents := make([]person, 0, p.agents)
	for who := range p.online {
		if who.Kind == protocol.Agent {
			agents = append(agents, who)
		}
	}
	return agents
}

// count is how many of a kind are online.
func (p *presence) count(kind protocol.Kind) int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if kind == protocol.Agent {
		return p.agents
	}
	return len(p.online) - p.agents
}

// nobody tells whether neither this replica nor, as far as it knows, another has anybody.
func (p *presence) nobody() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.here) == 0 && len(p.elsewhere) == 0
}

// takeUnwritten returns who came to this replica and who left it, as it is now.
func (p *presence) takeUnwritten() (came, left []person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for who := range p.unwritten {
		if p.here[who] > 0 {
			came = append(came, who)
		} else {
			left = append(left, who)
		}
	}
	clear(p.unwritten)
	return came, left
}

// putBack keeps for later what could not be written.
func (p *presence) putBack(people ...person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, who := range people {
		p.unwritten[who] = struct{}{}
	}
}

// everybodyHere lists who has a subscription on this replica.
func (p *presence) everybodyHere() []person {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Collect(maps.Keys(p.here))
}
