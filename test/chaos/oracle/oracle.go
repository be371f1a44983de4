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
	// floor is the highest place acknowledged in the conversation before the message was sent.
	floor int64
	ack   *protocol.Ack
}

// Oracle keeps the record. Safe for concurrent use.
type Oracle struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	entries map[place]entry
	// places finds the one place of a message.
	places map[uuid.UUID]place
	sent   map[uuid.UUID]*sent
	// heads are the highest places known, floors the highest acknowledged.
	heads, floors map[uuid.UUID]int64
	// changes are the edits and deletions ever wanted of a message, unchanged those not acknowledged; deleted are the
	// messages whose deletion was.
	changes   map[uuid.UUID][]*Change
	unchanged map[*Change]struct{}
	deleted   map[uuid.UUID]struct{}

	epoch        int64
	acknowledged int
	repeated     int
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
		clock: c, entries: map[place]entry{}, places: map[uuid.UUID]place{}, sent: map[uuid.UUID]*sent{},
		heads: map[uuid.UUID]int64{}, floors: map[uuid.UUID]int64{},
		changes: map[uuid.UUID][]*Change{}, unchanged: map[*Change]struct{}{}, deleted: map[uuid.UUID]struct{}{},
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
	o.sent[m.ClientID] = &sent{Message: m, at: o.clock.Now(), floor: o.floors[m.Conversation]}
}

// Acknowledged must be called with every acknowledgement, also that of a message sent again.
func (o *Oracle) Acknowledged(ack *protocol.Ack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.sent[ack.ClientID]
	if s == nil || s.Conversation != ack.Conversation {
		o.violated("conversation %s seq %d: acknowledged %s, which nobody sent", ack.Conversation, ack.Seq, ack.ClientID)
		return
	}
	if s.ack != nil {
		o.repeat(s, ack)
		return
	}
	if o.next != nil {
		close(o.next)
		o.next = nil
	}
	s.ack = ack
	o.acknowledged++
	if waited := o.clock.Since(s.at); waited > o.longest.For {
		o.longest = Wait{For: waited, From: s.at}
	}
	at := place{ack.Conversation, ack.Seq}
	if ack.Seq <= s.floor {
		o.violated("%s: acknowledged for a message sent after seq %d had been acknowledged", at, s.floor)
	}
	o.floors[ack.Conversation] = max(o.floors[ack.Conversation], ack.Seq)
	o.stands(at, entry{id: ack.ID, author: s.Author, clientID: s.ClientID, by: "an acknowledgement"})
	o.checkEpoch(at, ack.Epoch)
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
	o.stands(at, entry{id: f.ID, author: f.Author.ID, clientID: f.ClientID, by: reader})
	o.checkEpoch(at, f.Epoch)
}

// stands notes what is at a place, or compares it with what is known to be there.
func (o *Oracle) stands(at place, e entry) {
	known, ok := o.entries[at]
	switch {
	case !ok:
		o.entries[at] = e
		o.heads[at.conversation] = max(o.heads[at.conversation], at.seq)
	case known.id != e.id || known.author != e.author || known.clientID != e.clientID:
		o.violated("%s: is %s (message %s) to %s, but %s (message %s) to %s",
			at, e.id, e.clientID, e.by, known.id, known.clientID, known.by)
	}
	if other, ok := o.places[e.clientID]; ok && other != at {
		o.violated("%s: message %s is also at seq %d of %s", at, e.clientID, other.seq, other.conversation)
	}
	o.places[e.clientID] = at
}

// checkEpoch expects one history: nothing was restored.
func (o *Oracle) checkEpoch(at place, epoch int64) {
	if o.epoch == 0 {
		o.epoch = epoch
	}
	if epoch != o.epoch {
		o.violated("%s: epoch %d, but nothing was restored since epoch %d", at, epoch, o.epoch)
	}
}
