// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Observer is told what happens on a session, from one goroutine, in order. Any function may be nil.
type Observer struct {
	// Welcome follows every connection.
	Welcome func(*protocol.Welcome)
	// Conversation announces one that can be read.
	Conversation func(*protocol.Conversation)
	// Event is called once per event, in the conversation's order.
	Event func(*protocol.Event)
	// CaughtUp says that what follows is live.
	CaughtUp func(*protocol.CaughtUp)
	// Typing says that somebody else writes or stopped; it holds for at most 6 s.
	Typing func(*protocol.TypingNotice)
	// Receipt says how far somebody has received and read a conversation.
	Receipt func(*protocol.ReceiptNotice)
	// Presence says who is there, and who came or went. A connection begins with no colleagues.
	Presence func(*protocol.Presence)
	// Reset says that a conversation's events start again from 1.
	Reset func(*protocol.Reset)
	// Lost says why a connection ended; another follows.
	Lost func(error)
}

// Session is a visitor's or an agent's presence, over any number of connections.
type Session struct {
	client   *Client
	who      Credentials
	observer Observer
	choice   choice

	mu      sync.Mutex
	cursors map[uuid.UUID]protocol.Cursor
	outbox  outbox
	current *connection
	// ended is why Run returned.
	ended error
}

// NewSession makes a session that Run connects.
func (c *Client) NewSession(who Credentials, observer Observer) *Session {
	return &Session{
		client: c, who: who, observer: observer, cursors: map[uuid.UUID]protocol.Cursor{},
		choice: choice{transport: c.config.Transport, clock: c.config.Clock},
	}
}

// Reconnects back off from firstDelay to longestDelay with full jitter; a connection that held for stableAfter starts
// the count anew.
const (
	firstDelay   = 500 * time.Millisecond
	longestDelay = 30 * time.Second
	stableAfter  = 10 * time.Second
)

// Run stays connected until ctx ends or the server will not have these credentials, and returns why.
func (s *Session) Run(ctx context.Context) error {
	failures := 0
	for {
		start := s.client.config.Clock.Now()
		err := s.connectOnce(ctx)
		if ctx.Err() != nil {
			s.failAll(ctx.Err())
			return ctx.Err()
		}
		if refusal := refusalOf(err); refusal != nil {
			s.failAll(refusal)
			return refusal
		}
		if s.observer.Lost != nil {
			s.observer.Lost(err)
		}
		var drained *drainedError
		if errors.As(err, &drained) || s.client.config.Clock.Since(start) >= stableAfter {
			failures = 0
		}
		if drained == nil {
			pause(ctx, backoff(failures))
			failures++
		}
	}
}

// refusalOf returns the error if no later attempt can succeed.
func refusalOf(err error) error {
	var e *Error
	if errors.As(err, &e) && (e.Code == protocol.Unauthenticated || e.Code == protocol.Forbidden) {
		return e
	}
	return nil
}

// Open asks for a conversation and waits for it, over reconnects if need be.
func (s *Session) Open(ctx context.Context, contact *protocol.Contact) (*protocol.Opened, error) {
	id := uuid.New()
	answer, err := s.ask(ctx, id, &protocol.Open{ClientID: id, Contact: contact})
	if err != nil {
		return nil, err
	}
	opened, ok := answer.(*protocol.Opened)
	if !ok {
		return nil, errWrongAnswer
	}
	return opened, nil
}

// Send adds a message and waits until it is on disk, over reconnects if need be.
func (s *Session) Send(ctx context.Context, conversation uuid.UUID, body string) (*protocol.Ack, error) {
	return s.SendAs(ctx, conversation, uuid.New(), body)
}

// SendAs is Send with a client id of the caller's choosing; the same id again gives the first result.
func (s *Session) SendAs(ctx context.Context, conversation, clientID uuid.UUID, body string) (*protocol.Ack, error) {
	frame := &protocol.Send{Conversation: conversation, ClientID: clientID, Body: protocol.NewText(body)}
	return s.submit(ctx, frame)
}

// Edit gives a message of one's own another text and waits until that is on disk, over reconnects if need be.
func (s *Session) Edit(ctx context.Context, conversation, message uuid.UUID, body string) (*protocol.Ack, error) {
	return s.submit(ctx, &protocol.Edit{
		Conversation: conversation, ClientID: uuid.New(), Target: message, Body: protocol.NewText(body),
	})
}

// Delete takes a message of one's own away and waits until that is on disk, over reconnects if need be.
func (s *Session) Delete(ctx context.Context, conversation, message uuid.UUID) (*protocol.Ack, error) {
	return s.submit(ctx, &protocol.Delete{Conversation: conversation, ClientID: uuid.New(), Target: message})
}

func (s *Session) submit(ctx context.Context, frame protocol.Submission) (*protocol.Ack, error) {
	answer, err := s.ask(ctx, frame.Entry().ClientID, frame)
	if err != nil {
		return nil, err
	}
	ack, ok := answer.(*protocol.Ack)
	if !ok {
		return nil, errWrongAnswer
	}
	return ack, nil
}

var errWrongAnswer = errors.New("the server answered with a frame of another kind")

// ask puts a frame into the outbox and waits for its answer.
func (s *Session) ask(ctx context.Context, id uuid.UUID, frame protocol.Frame) (protocol.Frame, error) {
	data, err := protocol.Encode(frame)
	if err != nil {
		return nil, err
	}
	p, connection, err := s.queue(id, data)
	if err != nil {
		return nil, err
	}
	if connection != nil {
		connection.send(data)
	}
	select {
	case <-p.done:
		return p.answer, p.err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outbox.remove(id)
		return nil, ctx.Err()
	}
}

func (s *Session) queue(id uuid.UUID, data []byte) (*pending, *connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return nil, nil, s.ended
	}
	return s.outbox.add(id, data), s.current, nil
}

// Type tells the others that this one writes or stopped, if there is a connection.
func (s *Session) Type(conversation uuid.UUID, typing bool) error {
	return s.mention(&protocol.Typing{Conversation: conversation, Typing: typing})
}

// Confirm tells the others how far this one has received and read a conversation, if there is a connection.
func (s *Session) Confirm(conversation uuid.UUID, delivered, read int64) error {
	return s.mention(&protocol.Receipt{Conversation: conversation, Delivered: delivered, Read: read})
}

// mention sends a frame that nobody answers and that is not worth sending again.
func (s *Session) mention(frame protocol.Frame) error {
	data, err := protocol.Encode(frame)
	if err != nil {
		return err
	}
	s.mu.Lock()
	connection := s.current
	s.mu.Unlock()
	if connection != nil {
		connection.send(data)
	}
	return nil
}

// Reconnect drops the current connection, if there is one; Run makes another.
func (s *Session) Reconnect() {
	s.mu.Lock()
	connection := s.current
	s.mu.Unlock()
	if connection != nil {
		connection.close()
	}
}

// Cursor is the last event the session has of a conversation.
func (s *Session) Cursor(conversation uuid.UUID) protocol.Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[conversation]
}

func (s *Session) failAll(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = err
	s.outbox.failAll(err)
}
