// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package oracle decides whether a chat server kept its promise: everything acknowledged is readable, exactly once, in
// one gap-free order for every reader. It is told what was sent, acknowledged and seen, while it happens, and compares
// all of it with one record of what stands at which place.
package oracle

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Message is what somebody wants to say. A client id names it: the driver makes each once.
type Message struct {
	Conversation, Author, ClientID uuid.UUID
	Body                           string
}

// place is one entry of a conversation.
type place struct {
	conversation uuid.UUID
	seq          int64
}

func (p place) String() string { return fmt.Sprintf("conversation %s seq %d", p.conversation, p.seq) }

// entry is what stands at a place, and who said so first.
type entry struct {
	id, author, clientID uuid.UUID
	by                   string
}

// sent is a message and what became of it.
type sent struct {
	Message
	at time.Time
	// floor is the highest place acknowledged in the conversation, in the history then, before the message was sent.
	floor int64
	in    *history
	ack   *protocol.Ack
	// lost says that no acknowledgement is to be expected: a restore took it away, or what it is for.
	lost bool
}

// Oracle keeps the record. Safe for concurrent use.
type Oracle struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// current is the present history, past has those before by their epochs; newest is the highest epoch met.
	current  *history
	past     map[int64]*history
	newest   int64
	replaced bool
	refusals []refusal

	sent map[uuid.UUID]*sent
	// changes are the edits and deletions ever wanted of a message, unchanged those not acknowledged; deleted are the
	// messages whose deletion was, and its client id.
	changes   map[uuid.UUID][]*Change
	unchanged map[*Change]struct{}
	deleted   map[uuid.UUID]uuid.UUID

	acknowledged int
	repeated     int
	takenBack    int
	resets       int
	longest      Wait
	violations   []string
	// next is closed with the next acknowledgement, if anybody waits for it.
	next chan struct{}
}

// Wait is how long a message waited for its acknowledgement, resends and reconnects included.
type Wait struct {
	For  time.Duration
	From time.Time
}

// New makes an oracle that knows nothing yet.
func New(c clock.PassiveClock) *Oracle {
	return &Oracle{
		clock: c, current: newHistory(), past: map[int64]*history{}, sent: map[uuid.UUID]*sent{},
		changes: map[uuid.UUID][]*Change{}, unchanged: map[*Change]struct{}{}, deleted: map[uuid.UUID]uuid.UUID{},
	}
}

// Violated records a broken promise. Only the first of them are kept in words: one fault can break thousands.
func (o *Oracle) Violated(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.violated(format, args...)
}

// enough is how many violations are kept.
const enough = 50

func (o *Oracle) violated(format string, args ...any) {
	if len(o.violations) < enough {
		at := o.clock.Now().UTC().Format("15:04:05.000 ")
		o.violations = append(o.violations, at+fmt.Sprintf(format, args...))
	}
}

// Violations lists what was broken, in the order it was noticed.
func (o *Oracle) Violations() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.violations...)
}

// Sending must be called before a message is sent for the first time.
func (o *Oracle) Sending(m Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent[m.ClientID] = &sent{
		Message: m, at: o.clock.Now(), floor: o.current.floors[m.Conversation], in: o.current,
	}
}

// Acknowledged must be called with every acknowledgement, also that of a message sent again.
func (o *Oracle) Acknowledged(ack *protocol.Ack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acknowledge(ack)
}

func (o *Oracle) acknowledge(ack *protocol.Ack) {
	at := place{ack.Conversation, ack.Seq}
	s := o.sent[ack.ClientID]
	if s == nil || s.Conversation != ack.Conversation {
		o.violated("conversation %s seq %d: acknowledged %s, which nobody sent", ack.Conversation, ack.Seq, ack.ClientID)
		return
	}
	h := o.historyOf(at, ack.Epoch)
	if h == nil {
		return
	}
	if s.ack != nil && h == o.current {
		o.repeat(s, ack)
		return
	}
	if o.next != nil {
		close(o.next)
		o.next = nil
	}
	if h != o.current {
		o.outdated(s, ack, h)
		return
	}
	s.ack, s.lost = ack, false
	o.acknowledged++
	if waited := o.clock.Since(s.at); waited > o.longest.For {
		o.longest = Wait{For: waited, From: s.at}
	}
	if ack.Seq <= s.floor && s.in == h {
		o.violated("%s: acknowledged for a message sent after seq %d had been acknowledged", at, s.floor)
	}
	h.floors[ack.Conversation] = max(h.floors[ack.Conversation], ack.Seq)
	o.stands(h, at, entry{id: ack.ID, author: s.Author, clientID: s.ClientID, by: "an acknowledgement"})
}

// NextAcknowledgement is closed as soon as a message is acknowledged.
func (o *Oracle) NextAcknowledgement() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil {
		o.next = make(chan struct{})
	}
	return o.next
}

func (o *Oracle) repeat(s *sent, ack *protocol.Ack) {
	o.repeated++
	if s.ack.Seq != ack.Seq || s.ack.ID != ack.ID {
		o.violated("conversation %s: %s was acknowledged as seq %d (%s), sent again as seq %d (%s)",
			ack.Conversation, ack.ClientID, s.ack.Seq, s.ack.ID, ack.Seq, ack.ID)
	}
}

// saw records that a reader was shown an event.
func (o *Oracle) saw(reader string, f *protocol.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := place{f.Conversation, f.Seq}
	if f.Kind == protocol.KindMessage {
		o.judgeMessage(reader, at, f)
	} else {
		o.judgeChange(reader, at, f)
	}
	if h := o.historyOf(at, f.Epoch); h != nil {
		o.stands(h, at, entry{id: f.ID, author: f.Author.ID, clientID: f.ClientID, by: reader})
	}
}

// stands notes what is at a place of a history, or compares it with what is known to be there.
func (o *Oracle) stands(h *history, at place, e entry) {
	if other, ok := h.places[e.clientID]; ok && other != at {
		o.violated("%s: message %s is also at seq %d of %s", at, e.clientID, other.seq, other.conversation)
	}
	switch known, ok := h.entries[at]; {
	case !ok:
		h.write(at, e)
	case known.id != e.id || known.author != e.author || known.clientID != e.clientID:
		o.violated("%s: is %s (message %s) to %s, but %s (message %s) to %s",
			at, e.id, e.clientID, e.by, known.id, known.clientID, known.by)
	}
	h.places[e.clientID] = at
}
