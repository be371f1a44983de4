// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package servertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// patience is how long a test waits for what must happen.
const patience = 90 * time.Second

// Attendance is a client's session that keeps what it hears.
type Attendance struct {
	*client.Session
	// Ended yields why the session ended for good.
	Ended chan error

	stop          context.CancelFunc
	mu            sync.Mutex
	events        map[uuid.UUID][]*protocol.Event
	conversations map[uuid.UUID]*protocol.Conversation
	faults        []error
	resets        map[uuid.UUID]int
	welcomes      int
	presence      presence
	changed       chan struct{}
}

// Attend connects until the test ends.
func Attend(tb testing.TB, c *client.Client, who client.Credentials) *Attendance {
	tb.Helper()
	a := &Attendance{
		Ended: make(chan error, 1), events: map[uuid.UUID][]*protocol.Event{},
		conversations: map[uuid.UUID]*protocol.Conversation{}, resets: map[uuid.UUID]int{}, changed: make(chan struct{}, 1),
	}
	a.Session = c.NewSession(who, client.Observer{
		Welcome:      func(*protocol.Welcome) { a.note(func() { a.welcomes++; a.presence.begin() }) },
		Conversation: func(f *protocol.Conversation) { a.note(func() { a.conversations[f.Conversation] = f }) },
		Event:        func(f *protocol.Event) { a.note(func() { a.event(f) }) },
		Reset:        func(f *protocol.Reset) { a.note(func() { a.reset(f.Conversation) }) },
		Presence:     func(f *protocol.Presence) { a.note(func() { a.presence.hear(f) }) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	done := make(chan struct{})
	go func() { defer close(done); a.Ended <- a.Run(ctx) }()
	tb.Cleanup(func() { cancel(); <-done })
	return a
}

// Leave ends the session.
func (a *Attendance) Leave() { a.stop() }

func (a *Attendance) note(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

func (a *Attendance) event(f *protocol.Event) {
	have := a.events[f.Conversation]
	if f.Seq != int64(len(have))+1 {
		a.faults = append(a.faults, fmt.Errorf("event %d came after %d", f.Seq, len(have)))
	}
	a.events[f.Conversation] = append(have, f)
}

func (a *Attendance) reset(conversation uuid.UUID) {
	a.events[conversation] = nil
	a.resets[conversation]++
}

// WaitReset waits until a conversation was reset.
func (a *Attendance) WaitReset(tb testing.TB, conversation uuid.UUID) {
	tb.Helper()
	a.wait(tb, "a reset", func() bool { return a.resets[conversation] > 0 })
}

// WaitFor waits until the conversation has n events, all in order.
func (a *Attendance) WaitFor(tb testing.TB, conversation uuid.UUID, n int) []*protocol.Event {
	tb.Helper()
	a.wait(tb, fmt.Sprintf("%d events", n), func() bool { return len(a.events[conversation]) >= n })
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, fault := range a.faults {
		tb.Error(fault)
	}
	return a.events[conversation]
}

// WaitWelcomes waits until the session has connected n times.
func (a *Attendance) WaitWelcomes(tb testing.TB, n int) {
	tb.Helper()
	a.wait(tb, fmt.Sprintf("%d welcomes", n), func() bool { return a.welcomes >= n })
}

func (a *Attendance) wait(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		a.mu.Lock()
		ok := done()
		a.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-a.changed:
		case <-timeout.C:
			tb.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// Contact is what the announcement of a conversation said about the visitor.
func (a *Attendance) Contact(conversation uuid.UUID) *protocol.Contact {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.conversations[conversation]; c != nil {
		return c.Contact
	}
	return nil
}

// Conversations counts the conversations announced.
func (a *Attendance) Conversations() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conversations)
}

// Welcomes counts the connections made.
func (a *Attendance) Welcomes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.welcomes
}
