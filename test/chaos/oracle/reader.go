// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Reader is somebody who is shown events: in order, without gaps, each once.
type Reader struct {
	oracle *Oracle
	name   string
	// late says that the reader came after everything was said.
	late bool

	mu   sync.Mutex
	seen map[uuid.UUID]int64
}

// NewReader begins with the first event of every conversation.
func (o *Oracle) NewReader(name string) *Reader {
	return &Reader{oracle: o, name: name, seen: map[uuid.UUID]int64{}}
}

// NewLateReader is a reader that begins when everything is said and acknowledged: nothing deleted may be shown to it.
func (o *Oracle) NewLateReader(name string) *Reader {
	r := o.NewReader(name)
	r.late = true
	return r
}

// Event must be called with every event, in the order they came.
func (r *Reader) Event(f *protocol.Event) {
	r.mu.Lock()
	last := r.seen[f.Conversation]
	r.seen[f.Conversation] = max(last, f.Seq)
	r.mu.Unlock()
	if f.Seq != last+1 {
		r.oracle.Violated("conversation %s: %s was shown seq %d after %d", f.Conversation, r.name, f.Seq, last)
	}
	r.oracle.saw(r.name, f)
	if r.late {
		r.oracle.checkErased(r.name, f)
	}
}

// CaughtUp must be called when the server says that everything so far was sent.
func (r *Reader) CaughtUp(f *protocol.CaughtUp) {
	if last := r.Seen(f.Conversation); f.Seq != last {
		r.oracle.Violated("conversation %s: %s was told it has everything up to %d, and has %d",
			f.Conversation, r.name, f.Seq, last)
	}
}

// Reset must be called when the server disowns the reader's cursor, which it never has a reason to.
func (r *Reader) Reset(f *protocol.Reset) {
	last := r.Seen(f.Conversation)
	r.oracle.Violated("conversation %s: %s was reset at seq %d", f.Conversation, r.name, last)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, f.Conversation)
}

// Seen is the last event of a conversation the reader was shown, 0 before the first.
func (r *Reader) Seen(conversation uuid.UUID) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[conversation]
}

// Behind says which of the conversations the reader has not seen to its known end, or "" if it has seen all.
func (r *Reader) Behind(conversations []uuid.UUID) string {
	for _, c := range conversations {
		if head, seen := r.oracle.Head(c), r.Seen(c); seen < head {
			return fmt.Sprintf("conversation %s: %s has seen %d of %d", c, r.name, seen, head)
		}
	}
	return ""
}
