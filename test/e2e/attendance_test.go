// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	chat "github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// attendance is somebody's presence at a tenant's endpoint, over any number of connections, and what they read there.
type attendance struct {
	*chat.Session

	mu          sync.Mutex
	transcripts map[uuid.UUID][]*protocol.Event
	faults      []error
}

// attend connects until the test ends.
func attend(t *testing.T, c *chat.Client, who chat.Credentials) *attendance {
	t.Helper()
	a := &attendance{transcripts: map[uuid.UUID][]*protocol.Event{}}
	a.Session = c.NewSession(who, chat.Observer{
		Event: func(e *protocol.Event) { a.note(func() { a.read(e) }) },
		Reset: func(r *protocol.Reset) {
			a.note(func() { a.faults = append(a.faults, fmt.Errorf("history was reset: %v", r)) })
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the session ended: %v", err)
		}
		for _, fault := range a.faults {
			t.Error(fault)
		}
	})
	return a
}

func (a *attendance) note(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// read keeps an event and notes if it is not the next one.
func (a *attendance) read(e *protocol.Event) {
	have := a.transcripts[e.Conversation]
	if e.Seq != int64(len(have))+1 {
		a.faults = append(a.faults, fmt.Errorf("event %d came after %d", e.Seq, len(have)))
	}
	a.transcripts[e.Conversation] = append(have, e)
}

// transcript is what was read of a conversation so far.
func (a *attendance) transcript(conversation uuid.UUID) []*protocol.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*protocol.Event(nil), a.transcripts[conversation]...)
}

// awaitEvents waits until a conversation has n entries and returns it.
func (a *attendance) awaitEvents(t *testing.T, conversation uuid.UUID, n int) []*protocol.Event {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("%d messages are read", n), func(context.Context) error {
		if have := len(a.transcript(conversation)); have < n {
			return fmt.Errorf("have %d", have)
		}
		return nil
	})
	return a.transcript(conversation)
}
