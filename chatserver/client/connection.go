// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

const (
	writeTimeout = 10 * time.Second
	// gapTimeout is how long a conversation may stay behind its head before the connection is given up.
	gapTimeout = 5 * time.Second
	// maxCursors fit a hello frame. Conversations beyond it are sent from their beginning, and what is known is dropped.
	maxCursors = 600
)

// connection is one of a session.
type connection struct {
	session *Session
	wire    wire
	// heard says that the server said something.
	heard bool
	// heads are what the server said exists; gap runs while the session is behind one of them.
	heads map[uuid.UUID]int64
	gap   *time.Timer
	// leave ends a draining connection; drained says that it did.
	leave   *time.Timer
	drained bool
	refusal *Error
}

// drainedError says that the server asked to reconnect.
type drainedError struct{ error }

// connectOnce runs one connection to its end and says why it ended.
func (s *Session) connectOnce(ctx context.Context) error {
	transport := s.choice.next()
	w, err := s.dial(ctx, transport)
	if err != nil {
		s.learn(ctx, transport, false, err)
		return err
	}
	c := &connection{session: s, wire: w, heads: map[uuid.UUID]int64{}}
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	defer c.close()
	defer s.attach(nil)
	err = c.run()
	s.learn(ctx, transport, c.heard, err)
	c.stopTimers()
	switch {
	case c.refusal != nil:
		return c.refusal
	case c.drained:
		return &drainedError{err}
	default:
		return err
	}
}

func (s *Session) attach(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = c
}

// run handles frames until the connection ends.
func (c *connection) run() error {
	for {
		data, err := c.wire.read()
		if err != nil {
			return err
		}
		c.heard = true
		frame, err := protocol.DecodeServer(data)
		if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		c.handle(frame)
	}
}

func (s *Session) hello() *protocol.Hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	cursors := make(map[uuid.UUID]protocol.Cursor, len(s.cursors))
	for id, cursor := range s.cursors {
		if len(cursors) < maxCursors {
			cursors[id] = cursor
		}
	}
	return &protocol.Hello{Protocol: protocol.Version, Token: protocol.Text{String: s.who.token}, Cursors: cursors}
}

// send writes a frame. That it may fail does not matter: unanswered frames go out again on the next connection.
func (c *connection) send(data []byte) { c.wire.write(data) }

func (c *connection) close() { c.wire.close() }

func (c *connection) stopTimers() {
	for _, t := range []*time.Timer{c.gap, c.leave} {
		if t != nil {
			t.Stop()
		}
	}
}

// drain leaves at the moment the server chose.
func (c *connection) drain(after time.Duration) {
	c.drained = true
	c.leave = time.AfterFunc(after, c.close)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func backoff(failures int) time.Duration {
	ceiling := longestDelay
	const doublings = 6
	if failures < doublings {
		ceiling = firstDelay << failures
	}
	return rand.N(ceiling) //nolint:gosec // Spreads load, hides nothing.
}
