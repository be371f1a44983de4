// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"slices"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// attendance is what a subscription was told of who is there. It holds no states that wait to be sent, only whose is to
// be looked at when there is time to send: however often somebody comes and goes, one entry is the last word.
type attendance struct {
	// followed are the others whose presence this subscription hears of, each with the conversations it is for: an
	// agent's visitors, a visitor's agents.
	followed map[person][]uuid.UUID
	// unsure is whose presence may differ from what was told.
	unsure map[seat]struct{}
	// told is what was said of each, online or not.
	told map[seat]bool
	// knows says that a visitor was told whether anyone is there; available is what.
	knows, available bool
}

// seat is somebody in a conversation, or, of agents to agents, in none. Visitors hear of agents and agents, of
// conversations, of visitors, so the kind needs no saying.
type seat struct{ conversation, person uuid.UUID }

func (s *Subscription) occupant(at seat) person {
	if s.principal.Kind == protocol.Agent && at.conversation != uuid.Nil {
		return person{Kind: protocol.Visitor, ID: at.person}
	}
	return person{Kind: protocol.Agent, ID: at.person}
}

// waits tells whether there may be something to tell.
func (a *attendance) waits(kind protocol.Kind) bool {
	return len(a.unsure) > 0 || kind == protocol.Visitor && !a.knows
}

// startPresence begins with what is not about a conversation: an agent's colleagues, whether anyone is there for a
// visitor.
func (s *Subscription) startPresence() {
	if s.principal.Kind == protocol.Visitor {
		s.notify()
		return
	}
	colleagues := s.engine.presence.colleagues()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, who := range colleagues {
		s.doubtColleague(who)
	}
}

// follow makes the subscription hear of somebody's presence in a conversation that it was told of.
func (s *Subscription) follow(conversation uuid.UUID, who person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.attendance
	if slices.Contains(a.followed[who], conversation) {
		return
	}
	if a.followed == nil {
		a.followed = map[person][]uuid.UUID{}
	}
	a.followed[who] = append(a.followed[who], conversation)
	s.doubt(seat{conversation, who.ID})
}

// unfollow ends it for everybody in a conversation. Called with the lock held.
func (s *Subscription) unfollow(conversation uuid.UUID) {
	a := &s.attendance
	for who, conversations := range a.followed {
		if i := slices.Index(conversations, conversation); i >= 0 {
			a.followed[who] = slices.Delete(conversations, i, i+1)
			delete(a.unsure, seat{conversation, who.ID})
			delete(a.told, seat{conversation, who.ID})
		}
		if len(a.followed[who]) == 0 {
			delete(a.followed, who)
		}
	}
}

// doubt marks what was told of somebody as possibly no longer so. Called with the lock held.
func (s *Subscription) doubt(at seat) {
	if s.attendance.unsure == nil {
		s.attendance.unsure = map[seat]struct{}{}
	}
	s.attendance.unsure[at] = struct{}{}
	s.notify()
}

// doubtColleague is doubt for an agent beyond any conversation. Called with the lock held.
func (s *Subscription) doubtColleague(who person) {
	if who.ID != s.principal.ID {
		s.doubt(seat{person: who.ID})
	}
}

// moved says whose presence changed. agents are those of them who are.
func (s *Subscription) moved(everybody map[person]struct{}, agents []person, available bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.principal.Kind == protocol.Agent {
		for _, who := range agents {
			s.doubtColleague(who)
		}
	} else if !s.attendance.knows || s.attendance.available != available {
		s.notify()
	}
	a := &s.attendance
	// Whichever is smaller is gone through.
	if len(everybody) > len(a.followed) {
		for who := range a.followed {
			if _, ok := everybody[who]; ok {
				s.doubtFollowed(who)
			}
		}
		return
	}
	for who := range everybody {
		s.doubtFollowed(who)
	}
}

func (s *Subscription) doubtFollowed(who person) {
	for _, conversation := range s.attendance.followed[who] {
		s.doubt(seat{conversation, who.ID})
	}
}

// takePresence says what differs from what was told, of colleagues and of conversations that are caught up. The others
// wait.
func (s *Subscription) takePresence() []protocol.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	var people []protocol.Attendance
	for at := range s.attendance.unsure {
		if f, ok := s.feeds[at.conversation]; at.conversation != uuid.Nil && (!ok || !f.caughtUp) {
			continue
		}
		delete(s.attendance.unsure, at)
		if entry, differs := s.compare(at); differs {
			people = append(people, entry)
		}
	}
	var frames []protocol.Frame
	for chunk := range slices.Chunk(people, protocol.MaxPeople) {
		frames = append(frames, &protocol.Presence{People: chunk})
	}
	if available := s.takeAvailable(); available != nil {
		frames = append(frames, &protocol.Presence{Available: available})
	}
	return frames
}

// compare looks at whom a seat is of and notes what will be told.
func (s *Subscription) compare(at seat) (entry protocol.Attendance, differs bool) {
	a, who := &s.attendance, s.occupant(at)
	before, told := a.told[at]
	online := s.engine.presence.isOnline(who)
	// Of colleagues who are not there and never were there is nothing to say.
	if told && online == before || !told && !online && at.conversation == uuid.Nil {
		return entry, false
	}
	if a.told == nil {
		a.told = map[seat]bool{}
	}
	a.told[at] = online
	entry = protocol.Attendance{Participant: who, Online: online}
	if at.conversation != uuid.Nil {
		entry.Conversation = &at.conversation
	}
	return entry, true
}

// takeAvailable returns whether anyone is there if the visitor does not know it.
func (s *Subscription) takeAvailable() *bool {
	if s.principal.Kind != protocol.Visitor {
		return nil
	}
	a, available := &s.attendance, s.engine.presence.available()
	if a.knows && a.available == available {
		return nil
	}
	a.knows, a.available = true, available
	return &available
}
