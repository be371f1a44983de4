// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

const (
	writeTimeout = 10 * time.Second
	// gapTimeout is how long a conversation may stay behind its head before the connection is given up.
	gapTimeout = 5 * time.Second
	// maxCursors fit a hello frame. Conversations beyond it are sent from their beginning, and what is known is dropped.
	maxCursors = 600
)

// connection is one WebSocket of a session.
type connection struct {
	session *Session
	ws      *websocket.Conn
	writing sync.Mutex
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
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	defer c.close()
	defer s.attach(nil)
	err = c.run()
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

func (s *Session) dial(ctx context.Context) (*connection, error) {
	dialer := &websocket.Dialer{
		NetDialContext: s.client.config.Dial, TLSClientConfig: s.client.config.TLS.Clone(),
		Subprotocols: []string{protocol.Subprotocol}, HandshakeTimeout: writeTimeout,
	}
	header := http.Header{}
	s.client.decorate(header, s.who)
	ws, response, err := dialer.DialContext(ctx, "wss://"+s.client.host+"/api/v1/ws", header)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return nil, handshakeError(response, err)
	}
	return &connection{session: s, ws: ws, heads: map[uuid.UUID]int64{}}, nil
}

// handshakeError finds the server's own words in a refused handshake.
func handshakeError(response *http.Response, err error) error {
	if response != nil {
		var refusal *Error
		if errors.As(decodeAnswer(response, nil), &refusal) {
			return refusal
		}
	}
	return fmt.Errorf("connect: %w", err)
}

func (s *Session) attach(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = c
}

// run says hello and handles frames until the connection ends.
func (c *connection) run() error {
	hello, err := protocol.Encode(c.session.hello())
	if err != nil {
		return err
	}
	c.send(hello)
	for {
		_ = c.ws.SetReadDeadline(c.now().Add(protocol.SilenceTimeout))
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
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
func (c *connection) send(data []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(c.now().Add(writeTimeout))
	_ = c.ws.WriteMessage(websocket.TextMessage, data)
}

func (c *connection) now() time.Time { return c.session.client.config.Clock.Now() }

func (c *connection) close() { _ = c.ws.Close() }

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
