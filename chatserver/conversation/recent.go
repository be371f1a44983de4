// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"container/list"
	"sync"

	"github.com/google/uuid"
)

const (
	// recentBytes bounds the cache of encoded events.
	recentBytes = 4 << 20
	// recentPerConversation bounds the events kept of one conversation.
	recentPerConversation = 64
)

// recent keeps the latest events of conversations in their encoded form, so that live delivery to many readers costs no
// database read. It forgets the conversations least recently written to.
type recent struct {
	mu       sync.Mutex
	maxBytes int
	bytes    int
	order    *list.List
	elements map[uuid.UUID]*list.Element
}

// tail is an unbroken run of a conversation's events.
type tail struct {
	conversation uuid.UUID
	first        int64
	frames       [][]byte
}

func (t *tail) next() int64 { return t.first + int64(len(t.frames)) }

// tailOf is what every element of the list holds.
func tailOf(element *list.Element) *tail {
	t, _ := element.Value.(*tail)
	return t
}

func newRecent(maxBytes int) *recent {
	return &recent{maxBytes: maxBytes, order: list.New(), elements: map[uuid.UUID]*list.Element{}}
}

// add appends the event if it follows the last one known; older ones are ignored. After a gap the run starts anew, as
// it does with an event that erases: what was cached before may hold what that takes away.
func (r *recent) add(conversation uuid.UUID, seq int64, frame []byte, erases bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tail(conversation, seq)
	switch {
	case seq < t.next():
		return
	case seq > t.next() || erases:
		r.drop(t, len(t.frames))
		t.first = seq
	}
	t.frames = append(t.frames, frame)
	r.bytes += len(frame)
	if len(t.frames) > recentPerConversation {
		r.drop(t, 1)
	}
	r.evict()
}

// tail returns the conversation's run as the most recently used, made empty before seq if there is none.
func (r *recent) tail(conversation uuid.UUID, seq int64) *tail {
	if element, ok := r.elements[conversation]; ok {
		r.order.MoveToFront(element)
		return tailOf(element)
	}
	t := &tail{conversation: conversation, first: seq}
	r.elements[conversation] = r.order.PushFront(t)
	return t
}

// drop forgets the n oldest events of a run.
func (r *recent) drop(t *tail, n int) {
	for _, frame := range t.frames[:n] {
		r.bytes -= len(frame)
	}
	clear(t.frames[:n])
	t.frames = t.frames[n:]
	t.first += int64(n)
}

func (r *recent) evict() {
	for r.bytes > r.maxBytes && r.order.Len() > 0 {
		r.remove(r.order.Back())
	}
}

// forget drops what is known of a conversation.
func (r *recent) forget(conversation uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element, ok := r.elements[conversation]; ok {
		r.remove(element)
	}
}

func (r *recent) remove(element *list.Element) {
	t := tailOf(element)
	r.drop(t, len(t.frames))
	r.order.Remove(element)
	delete(r.elements, t.conversation)
}

// after returns what is known beyond seq. ok is false if something between may be missing, or anything up to head, the
// last event that the reader knows to exist: what is missing may be a deletion of something before it.
func (r *recent) after(conversation uuid.UUID, seq, head int64) (frames [][]byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, found := r.elements[conversation]
	if !found {
		return nil, false
	}
	t := tailOf(element)
	if seq+1 < t.first || seq+1 >= t.next() || head >= t.next() {
		return nil, false
	}
	// Copied: the run moves on while the reader writes.
	return append([][]byte(nil), t.frames[seq+1-t.first:]...), true
}

// last is the seq of the latest event known, 0 if there is none.
func (r *recent) last(conversation uuid.UUID) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, ok := r.elements[conversation]
	if !ok {
		return 0
	}
	return tailOf(element).next() - 1
}

// clear forgets everything.
func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes = 0
	r.order.Init()
	clear(r.elements)
}
