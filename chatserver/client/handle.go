// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// handle takes one frame of the server; nil is a frame of a later version.
func (c *connection) handle(frame protocol.Frame) {
	o := &c.session.observer
	switch f := frame.(type) {
	case *protocol.Welcome:
		tell(o.Welcome, f)
		c.resend()
	case *protocol.Conversation:
		tell(o.Conversation, f)
	case *protocol.Event:
		c.event(f)
	case *protocol.CaughtUp:
		tell(o.CaughtUp, f)
	case *protocol.TypingNotice:
		tell(o.Typing, f)
	case *protocol.ReceiptNotice:
		tell(o.Receipt, f)
	case *protocol.Presence:
		tell(o.Presence, f)
	case *protocol.Reset:
		c.session.reset(f)
		tell(o.Reset, f)
	case *protocol.Opened:
		c.session.settle(f.ClientID, f, nil)
	case *protocol.Ack:
		c.session.settle(f.ClientID, f, nil)
	case *protocol.Heartbeat:
		c.noteHeads(f.Heads)
	case *protocol.Drain:
		c.drain(time.Duration(f.ReconnectAfterMs) * time.Millisecond)
	case *protocol.Error:
		c.fault(f)
	}
}

func tell[F any](listener func(*F), frame *F) {
	if listener != nil {
		listener(frame)
	}
}

// resend puts everything unanswered on this connection, which from now on takes new frames too.
func (c *connection) resend() {
	s := c.session
	s.mu.Lock()
	s.current = c
	frames := s.outbox.frames()
	s.mu.Unlock()
	for _, data := range frames {
		c.send(data)
	}
}

// event passes on the next event, drops one that is known, and takes a gap as a broken connection.
func (c *connection) event(f *protocol.Event) {
	known := c.session.Cursor(f.Conversation)
	switch {
	case f.Seq <= known.Seq:
		return
	case f.Seq > known.Seq+1:
		c.close()
		return
	}
	tell(c.session.observer.Event, f)
	c.session.advance(f)
	c.watchGap(true)
}

func (s *Session) advance(f *protocol.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[f.Conversation] = protocol.Cursor{Epoch: f.Epoch, Seq: f.Seq}
}

func (s *Session) reset(f *protocol.Reset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cursors, f.Conversation)
}

func (s *Session) settle(id uuid.UUID, answer protocol.Frame, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.settle(id, answer, err)
}

func (c *connection) noteHeads(heads map[uuid.UUID]int64) {
	for id, head := range heads {
		c.heads[id] = max(c.heads[id], head)
	}
	c.watchGap(false)
}

// watchGap gives the connection up when a known head stays out of reach; every event gives it its full time again.
func (c *connection) watchGap(progress bool) {
	behind := false
	for id, head := range c.heads {
		behind = behind || c.session.Cursor(id).Seq < head
	}
	if c.gap != nil && (progress || !behind) {
		c.gap.Stop()
		c.gap = nil
	}
	if behind && c.gap == nil {
		c.gap = time.AfterFunc(gapTimeout, c.close)
	}
}

// fault takes an error frame: about one frame of ours, or about the connection.
func (c *connection) fault(f *protocol.Error) {
	e := &Error{Code: f.Code, Message: f.Message, RetryAfter: time.Duration(f.RetryAfterMs) * time.Millisecond}
	switch {
	case f.ClientID == nil:
		c.refusal = e
	case e.retryable():
		time.AfterFunc(max(e.RetryAfter, firstDelay), func() { c.session.retry(*f.ClientID) })
	default:
		c.session.settle(*f.ClientID, nil, e)
	}
}

// retry sends a frame again on whatever connection there is; without one the next connection does.
func (s *Session) retry(id uuid.UUID) {
	s.mu.Lock()
	p, connection := s.outbox.find(id), s.current
	s.mu.Unlock()
	if p != nil && connection != nil {
		connection.send(p.data)
	}
}
