// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Change is an edit or a deletion that somebody wants. The client names it, so its client id is known once it is
// acknowledged.
type Change struct {
	// Target is the event id of a message of the author's own.
	Conversation, Author, Target uuid.UUID
	Kind                         protocol.EventKind
	// Body is what an edit makes of the message.
	Body string

	at    time.Time
	floor int64
	in    *history
}

// Changing must be called before a change is sent.
func (o *Oracle) Changing(c *Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.at, c.floor, c.in = o.clock.Now(), o.current.floors[c.Conversation], o.current
	o.changes[c.Target] = append(o.changes[c.Target], c)
	o.unchanged[c] = struct{}{}
}

// Changed must be called with the acknowledgement of a change.
func (o *Oracle) Changed(c *Change, ack *protocol.Ack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.unchanged, c)
	m := Message{Conversation: c.Conversation, Author: c.Author, ClientID: ack.ClientID, Body: c.Body}
	o.sent[ack.ClientID] = &sent{Message: m, at: c.at, floor: c.floor, in: c.in}
	o.acknowledge(ack)
	if _, there := o.current.places[ack.ClientID]; there && c.Kind == protocol.KindDeletion {
		o.deleted[c.Target] = ack.ClientID
	}
}

// Unchanged must be called with a change that was refused.
func (o *Oracle) Unchanged(c *Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.unchanged, c)
}

// judgeMessage compares what a reader was shown with what was sent.
func (o *Oracle) judgeMessage(reader string, at place, f *protocol.Event) {
	s := o.sent[f.ClientID]
	switch {
	case s == nil || s.Conversation != f.Conversation || s.Author != f.Author.ID:
		o.violated("%s: %s was shown %s, which its author did not send there", at, reader, f.ClientID)
	case !o.mayRead(f, f.ID, s.Body):
		o.violated("%s: %s was shown another text than was sent", at, reader)
	}
}

// judgeChange does so for an edit or a deletion.
func (o *Oracle) judgeChange(reader string, at place, f *protocol.Event) {
	wanted := f.Target != nil && slices.ContainsFunc(o.changes[*f.Target], func(c *Change) bool {
		return c.Kind == f.Kind && c.Conversation == f.Conversation && c.Author == f.Author.ID &&
			o.mayRead(f, c.Target, c.Body)
	})
	if !wanted {
		o.violated("%s: %s was shown a change (%s) that nobody asked for", at, reader, f.Kind)
	}
}

// mayRead tells whether an event may be shown as it is: with its text, or without if its message is being deleted.
func (o *Oracle) mayRead(f *protocol.Event, message uuid.UUID, body string) bool {
	if !f.Erased {
		return f.Body.Reveal() == body
	}
	deleting := slices.ContainsFunc(o.changes[message], func(c *Change) bool { return c.Kind == protocol.KindDeletion })
	return deleting && f.Body.IsEmpty()
}

// checkErased expects of a reader that came after everything was said that it is shown no text that was deleted.
func (o *Oracle) checkErased(reader string, f *protocol.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	message := f.ID
	if f.Target != nil {
		message = *f.Target
	}
	if _, gone := o.deleted[message]; gone && f.Kind != protocol.KindDeletion && !f.Erased {
		o.violated("%s: %s was shown what had been deleted", place{f.Conversation, f.Seq}, reader)
	}
}
