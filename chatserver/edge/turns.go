// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import "sync"

// turns lets one goroutine at a time do a work that nobody does while there is none: a goroutine that waits for work
// would keep its stack. Who asks while the turn is taken is not forgotten: there is another round then. At first the
// turn is taken, by whoever made it.
type turns struct {
	mu sync.Mutex
	// free is set while nobody has the turn, asked if there has to be another round, over once there are no more.
	free, asked, over bool
	// given is closed when the turn is given back after the end, if somebody waits for that.
	given chan struct{}
}

// ask asks for a round. If the turn was free the caller now has it, and must see to the work.
func (t *turns) ask() (mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	if t.free {
		t.free = false
		return true
	}
	t.asked = true
	return false
}

// next ends a round, for who has the turn, and reports whether there has to be another. If not, the turn is given back.
func (t *turns) next() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked && !t.over {
		t.asked = false
		return true
	}
	t.giveBack()
	return false
}

// end says, for who has the turn, that it was the last one.
func (t *turns) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.giveBack()
}

// stop makes the present turn the last one and waits for its end.
func (t *turns) stop() {
	t.mu.Lock()
	t.over = true
	if t.free {
		t.mu.Unlock()
		return
	}
	if t.given == nil {
		t.given = make(chan struct{})
	}
	given := t.given
	t.mu.Unlock()
	<-given
}

func (t *turns) isOver() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// giveBack is called with the lock held.
func (t *turns) giveBack() {
	t.free = true
	if t.given != nil {
		close(t.given)
		t.given = nil
	}
}
