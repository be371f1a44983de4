// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/identity"
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
	hello, ok := frame.(*protocol.Hello)
	if !ok {
		return nil, violation("the first frame must be hello")
	}
	if hello.Protocol != protocol.Version {
		return nil, violation("this server speaks protocol 1")
	}
	if c.principal, err = c.identify(ctx, hello); err != nil {
		return nil, err
	}
	if c.sub, err = c.server.config.Engine.Subscribe(ctx, c.principal, hello.Cursors); err != nil {
		return nil, err
	}
	c.conn.SetReadLimit(protocol.MaxFrame)
	p := c.principal
	return &protocol.Welcome{
		Protocol: protocol.Version, Epoch: c.server.config.Engine.Epoch(),
		Self:             protocol.Person{Kind: p.Kind, ID: p.ID, DisplayName: protocol.Text{String: p.DisplayName}},
		HeartbeatSeconds: int(timing.Heartbeat / time.Second),
	}, nil
}

// identify takes the token if there is one, so that an agent can try their own site's widget in the same browser.
func (c *socket) identify(ctx context.Context, hello *protocol.Hello) (identity.Principal, error) {
	if !hello.Token.IsEmpty() {
		return c.server.config.Identity.Visitor(ctx, hello.Token.String)
	}
	return c.server.config.Identity.Agent(ctx, c.cookie)
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

// read handles frames until the connection ends, the client breaks a rule, or the writer ends the socket.
func (c *socket) read(ctx context.Context) {
	c.watchControlFrames()
	for ctx.Err() == nil {
		c.silentFor(c.server.config.Timing.Silence)
		frame, err := c.readFrame()
		if err == nil {
			err = c.handle(ctx, frame)
		}
		if isGone(err) {
			return
		}
		if err != nil {
			c.end(c.server.farewellTo(err))
			break
		}
	}
	c.discard()
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
	kind, data, err := c.conn.ReadMessage()
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
		c.replies <- c.heartbeat()
	case *protocol.Open:
		c.replies <- c.open(ctx, f)
	case protocol.Submission:
		c.submit(f)
	default:
		return violation("hello comes once")
	}
	return nil
}

func (c *socket) open(ctx context.Context, f *protocol.Open) protocol.Frame {
	if err := f.Validate(); err != nil {
		return refuse(violation(err.Error()), f.ClientID)
	}
	if err := c.server.limits.messages(c.principal).take(c.principal.ID); err != nil {
		return refuse(err, f.ClientID)
	}
	return c.server.config.Engine.Open(ctx, c.principal, f)
}

func (c *socket) submit(f protocol.Submission) {
	clientID := f.Entry().ClientID
	if err := f.Validate(); err != nil {
		c.replies <- refuse(violation(err.Error()), clientID)
		return
	}
	if err := c.server.limits.messages(c.principal).take(c.principal.ID); err != nil {
		c.replies <- refuse(err, clientID)
		return
	}
	c.server.config.Engine.Submit(c.principal, f, func(reply protocol.Frame) { c.replies <- reply })
}
