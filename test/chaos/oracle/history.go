// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// history is what is known of the database between two times that another state of it took its place.
type history struct {
	// epoch names it, 0 until somebody was told.
	epoch   int64
	entries map[place]entry
	// places finds the one place of a message.
	places map[uuid.UUID]place
	// heads are the highest places known, floors the highest acknowledged.
	heads, floors map[uuid.UUID]int64
	// whole says that nothing acknowledged in it may be missing from what followed.
	whole bool
}

func newHistory() *history {
	return &history{
		entries: map[place]entry{}, places: map[uuid.UUID]place{},
		heads: map[uuid.UUID]int64{}, floors: map[uuid.UUID]int64{},
	}
}

// has tells whether an acknowledgement is true of it.
func (h *history) has(s *sent) bool {
	e, ok := h.entries[place{s.Conversation, s.ack.Seq}]
	return ok && e.id == s.ack.ID && e.clientID == s.ClientID && e.author == s.Author
}

func (h *history) write(at place, e entry) {
	h.entries[at], h.places[e.clientID] = e, at
	h.heads[at.conversation] = max(h.heads[at.conversation], at.seq)
}

// Mark is what was acknowledged at a time.
type Mark struct{ acknowledged map[uuid.UUID]bool }

// Mark must be called before a backup begins: whatever was acknowledged by then is in it.
func (o *Oracle) Mark() *Mark {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := &Mark{acknowledged: map[uuid.UUID]bool{}}
	for id, s := range o.sent {
		if s.ack != nil {
			m.acknowledged[id] = true
		}
	}
	return m
}

// Replaced must be called when another state of the database took its place, before anybody reaches that: rows are all
// that it holds. What was acknowledged after since may be missing, what was acknowledged before may not; if since is
// nil, nothing may.
func (o *Oracle) Replaced(rows []Row, since *Mark) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := newHistory()
	for _, r := range rows {
		at := place{r.Conversation, r.Seq}
		next.write(at, entry{id: r.ID, author: r.Author, clientID: r.ClientID, by: "what took the database's place"})
	}
	for id, s := range o.sent {
		switch {
		case s.ack == nil:
		case next.has(s):
			next.floors[s.Conversation] = max(next.floors[s.Conversation], s.ack.Seq)
		default:
			if since == nil || since.acknowledged[id] {
				o.violated("%s: %s was acknowledged, and is not in what took the database's place",
					place{s.Conversation, s.ack.Seq}, id)
			}
			s.ack, s.lost = nil, true
			o.takenBack++
		}
	}
	for message, deletion := range o.deleted {
		if _, still := next.places[deletion]; !still {
			delete(o.deleted, message)
		}
	}
	o.current.whole = since == nil
	o.past[o.current.epoch], o.current = o.current, next
	o.replaced = true
}

// NoteEpoch tells which epoch the database gave itself, in case nobody is told of it.
func (o *Oracle) NoteEpoch(epoch int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.in(epoch)
}

// in finds the history of an epoch, nil if there is none. The first epoch above all that were is that of the present.
func (o *Oracle) in(epoch int64) *history {
	if h, ok := o.past[epoch]; ok {
		return h
	}
	if o.current.epoch == 0 && epoch > o.newest {
		o.current.epoch, o.newest = epoch, epoch
	}
	if o.current.epoch != epoch {
		return nil
	}
	return o.current
}

// mayReset counts a reset and tells whether it is due: to an epoch above that of what the reader was shown, if it was
// shown anything.
func (o *Oracle) mayReset(from, to int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resets++
	return from > 0 && to > from && o.in(to) != nil
}

func (o *Oracle) epoch() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current.epoch
}

// historyOf is in, and notes an epoch that nothing explains.
func (o *Oracle) historyOf(at place, epoch int64) *history {
	h := o.in(epoch)
	if h == nil {
		o.violated("%s: epoch %d, but nothing was restored since epoch %d", at, epoch, o.newest)
	}
	return h
}

// outdated takes the acknowledgement of a history that is over: what it says is true if that is still there, and of no
// use otherwise. Its author will not send the message again.
func (o *Oracle) outdated(s *sent, ack *protocol.Ack, h *history) {
	former := s.ack
	s.ack = ack
	if o.current.has(s) {
		o.current.floors[s.Conversation] = max(o.current.floors[s.Conversation], ack.Seq)
		return
	}
	if h.whole {
		o.violated("%s: %s was acknowledged, and is not in what took the database's place",
			place{s.Conversation, ack.Seq}, s.ClientID)
	}
	s.ack, s.lost = former, former == nil
}

// refusal is something that was refused because it does not exist.
type refusal struct {
	missing uuid.UUID
	what    string
}

// Refused must be called when something was refused for a conversation, a message or a person that does not exist,
// which a restore may have taken away. Whoever asked does not ask again.
func (o *Oracle) Refused(missing uuid.UUID, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.replaced {
		o.violated("%s, and nothing was restored", what)
		return
	}
	o.refusals = append(o.refusals, refusal{missing, what})
}

// Withdrawn must be called for a message that was refused.
func (o *Oracle) Withdrawn(clientID uuid.UUID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.sent[clientID]; s != nil && s.ack == nil {
		s.lost = true
	}
}

// AuditRefusals compares what was refused with everything and everybody there is.
func (o *Oracle) AuditRefusals(existing map[uuid.UUID]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.refusals {
		if existing[r.missing] {
			o.violated("%s, and %s is there", r.what, r.missing)
		}
	}
}
