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
	seen map[uuid.UUID]sight
}

// sight is the last event of a conversation that a reader was shown.
type sight struct{ epoch, seq int64 }

// NewReader begins with the first event of every conversation.
func (o *Oracle) NewReader(name string) *Reader {
	return &Reader{oracle: o, name: name, seen: map[uuid.UUID]sight{}}
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
	r.seen[f.Conversation] = sight{epoch: f.Epoch, seq: max(last.seq, f.Seq)}
	r.mu.Unlock()
	if f.Seq != last.seq+1 {
		r.oracle.Violated("conversation %s: %s was shown seq %d after %d", f.Conversation, r.name, f.Seq, last.seq)
	}
	if last.seq > 0 && f.Epoch != last.epoch {
		r.oracle.Violated("conversation %s: %s was shown seq %d of epoch %d after epoch %d without a reset",
			f.Conversation, r.name, f.Seq, f.Epoch, last.epoch)
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

// Reset must be called when the server disowns the reader's cursor. Its only reason is that the database was replaced
// since the reader was shown what the cursor stands for.
func (r *Reader) Reset(f *protocol.Reset) {
	r.mu.Lock()
	last := r.seen[f.Conversation]
	delete(r.seen, f.Conversation)
	r.mu.Unlock()
	if !r.oracle.mayReset(last.epoch, f.Epoch) {
		r.oracle.Violated("conversation %s: %s was reset at seq %d", f.Conversation, r.name, last.seq)
	}
}

// Seen is the last event of a conversation the reader was shown, 0 before the first.
func (r *Reader) Seen(conversation uuid.UUID) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[conversation].seq
}

// stale names a conversation of which the reader still has what was before the database was replaced.
func (r *Reader) stale(epoch int64) (uuid.UUID, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c, s := range r.seen {
		if s.epoch != epoch {
			return c, true
		}
	}
	return uuid.Nil, false
}

// Behind says which of the conversations the reader has not seen to its known end, or of which of all it has
// what the database does not have any more; "" if it has seen exactly what there is.
func (r *Reader) Behind(conversations []uuid.UUID) string {
	if c, stale := r.stale(r.oracle.epoch()); stale {
		return fmt.Sprintf("conversation %s: %s has not been reset", c, r.name)
	}
	for _, c := range conversations {
		if head, seen := r.oracle.Head(c), r.Seen(c); seen < head {
			return fmt.Sprintf("conversation %s: %s has seen %d of %d", c, r.name, seen, head)
		}
	}
	return ""
}
