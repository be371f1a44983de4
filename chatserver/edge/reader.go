// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

func violation(message string) error {
	return &apiError{code: protocol.InvalidRequest, message: message}
}

// greet reads hello, finds out who it is and subscribes them.
func (c *socket) greet(ctx context.Context) (*protocol.Welcome, error) {
	timing := c.server.config.Timing
	c.conn.SetReadLimit(protocol.MaxHello)
	c.silentFor(timing.Hello)
	frame, err := c.readFrame()
	if isTimeout(err) {
		return nil, violation("hello did not come in time")
	}
	if err != nil {
		return nil, err
	}
	welcome, err := c.join(ctx, frame, c.cookie)
	if err != nil {
		return nil, err
	}
	c.conn.SetReadLimit(protocol.MaxFrame)
	return welcome, nil
}

// silentFor gives the client d to be heard from, unless it has been told to go.
func (c *socket) silentFor(d time.Duration) {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	if !c.leaving {
		// Fails only on a connection that is gone, as the next read will show.
		_ = c.conn.SetReadDeadline(c.server.clock.Now().Add(d))
	}
}

// listen handles frames until the connection ends, the client breaks a rule, or the writer ends the socket. Its stack
// is what a silent socket keeps: nothing is called from a large frame here.
func (c *socket) listen(ctx context.Context) {
	defer c.leaveServer()
	defer c.survive(func() {})
	for {
		c.silentFor(c.server.config.Timing.Silence)
		kind, body, err := c.conn.NextReader()
		if !c.heard(ctx, kind, body, err) {
			return
		}
	}
}

// heard handles what was read, and reports whether to go on.
func (c *socket) heard(ctx context.Context, kind int, body io.Reader, err error) bool {
	frame, err := c.decode(kind, body, err)
	if err == nil {
		err = c.handle(ctx, frame)
	}
	switch {
	case isGone(err):
		return false
	case err != nil:
		c.end(c.server.farewellTo(err))
	case ctx.Err() == nil:
		return true
	}
	c.discard()
	return false
}

// watchControlFrames takes pongs as signs of life and counts pings as frames.
func (c *socket) watchControlFrames() {
	pong := c.conn.PingHandler()
	c.conn.SetPongHandler(func(string) error {
		c.silentFor(c.server.config.Timing.Silence)
		return nil
	})
	c.conn.SetPingHandler(func(data string) error {
		if err := c.countFrame(); err != nil {
			return err
		}
		return pong(data)
	})
}

func (c *socket) readFrame() (protocol.Frame, error) {
	return c.decode(c.conn.NextReader())
}

// decode reads the frame that NextReader found.
func (c *socket) decode(kind int, body io.Reader, err error) (protocol.Frame, error) {
	var data []byte
	if err == nil {
		data, err = io.ReadAll(body)
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return nil, &apiError{code: protocol.TooLarge, message: "the frame is too large"}
	}
	if err != nil {
		return nil, &gone{err}
	}
	if err := c.countFrame(); err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, violation("frames must be text")
	}
	frame, err := protocol.DecodeClient(data)
	if err != nil {
		return nil, violation("the frame is not one of this protocol")
	}
	return frame, nil
}

func (c *socket) countFrame() error {
	if c.frames.AllowN(c.server.clock.Now(), 1) {
		return nil
	}
	c.server.metrics.limited.WithLabelValues("frames").Inc()
	return violation("too many frames")
}

// handle takes a frame; one that asks for something is answered through replies. Its error ends the socket; what is
// wrong with one message does not.
func (c *socket) handle(ctx context.Context, frame protocol.Frame) error {
	switch f := frame.(type) {
	case *protocol.Typing:
		c.sub.Typing(f)
		return nil
	case *protocol.Receipt:
		c.sub.Receipt(f)
		return nil
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch f := frame.(type) {
	case *protocol.Ping:
		c.reply(c.heartbeat())
	case *protocol.Open:
		c.reply(c.server.open(ctx, c.principal, f))
	case protocol.Submission:
		c.server.submit(c.principal, f, c.reply)
	default:
		return violation("hello comes once")
	}
	return nil
}
