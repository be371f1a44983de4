// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// drainGrace is how long after its time a draining client may still stay; drainRetry how long an unanswered message
// keeps its socket beyond that.
const (
	drainGrace = time.Second
	drainRetry = 50 * time.Millisecond
)

// write sends everything a socket has to say, and its end.
func (c *socket) write(ctx context.Context, welcome *protocol.Welcome) {
	err := c.writeTimed(welcome)
	if err == nil {
		err = c.pump(ctx)
	}
	var bye *farewellError
	switch {
	case errors.As(err, &bye):
		c.leave(bye.farewell)
		// The reader is waiting for the client to close and ends by the deadline leave has set.
		return
	case isTimeout(err):
		c.leave(farewell{code: websocket.CloseTryAgainLater, reason: "slow_reader"})
		c.abort()
	}
	// Ends the reader too, if it was not the one that ended first.
	_ = c.conn.Close()
}

// farewellError ends pump.
type farewellError struct{ farewell }

func (f *farewellError) Error() string { return f.reason }

// timers are those of one socket.
type timers struct {
	heartbeat clock.Ticker
	expiry    clock.Timer
	// departure runs once the socket is draining.
	departure clock.Timer
}

func (c *socket) startTimers() *timers {
	s := c.server
	return &timers{
		heartbeat: s.clock.NewTicker(s.config.Timing.Heartbeat),
		expiry:    s.clock.NewTimer(c.principal.ExpiresAt.Sub(s.clock.Now())),
	}
}

func (t *timers) stop() {
	t.heartbeat.Stop()
	t.expiry.Stop()
	if t.departure != nil {
		t.departure.Stop()
	}
}

func (t *timers) departed() <-chan time.Time {
	if t.departure == nil {
		return nil
	}
	return t.departure.C()
}

// pump sends what becomes due until the socket has to end.
func (c *socket) pump(ctx context.Context) error {
	t := c.startTimers()
	defer t.stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-c.last:
			return &farewellError{f}
		case reply := <-c.replies:
			<-c.slots
			err = c.writeTimed(reply)
		case <-c.sub.Ready():
			err = c.deliver(ctx)
		case <-t.heartbeat.C():
			err = c.beat()
		case <-t.expiry.C():
			err = c.revoked()
		case delay := <-c.draining:
			t.departure = c.server.clock.NewTimer(delay + drainGrace)
			err = c.writeTimed(&protocol.Drain{ReconnectAfterMs: delay.Milliseconds()})
		case <-t.departed():
			err = c.depart(t)
		}
		if err != nil {
			return err
		}
	}
}

// deliver sends what the subscription has next.
func (c *socket) deliver(ctx context.Context) error {
	frames, err := c.sub.Poll(ctx)
	switch {
	case errors.Is(err, conversation.ErrRevoked):
		return c.revoked()
	case err != nil:
		return &farewellError{farewell{code: websocket.CloseTryAgainLater, reason: "restored"}}
	}
	for _, data := range frames {
		c.extendWrite()
		if err := c.conn.WriteMessage(websocket.TextMessage, data); err != nil {
			return err
		}
	}
	return nil
}

func (c *socket) revoked() error {
	return &farewellError{farewell{
		frame: &protocol.Error{Code: protocol.Unauthenticated, Message: "the session has ended"},
		code:  websocket.ClosePolicyViolation, reason: "session_ended",
	}}
}

// depart ends a draining socket once its messages are answered.
func (c *socket) depart(t *timers) error {
	if len(c.slots) > 0 {
		t.departure.Reset(drainRetry)
		return nil
	}
	return &farewellError{farewell{code: websocket.CloseGoingAway, reason: "drained"}}
}

func (c *socket) heartbeat() *protocol.Heartbeat { return &protocol.Heartbeat{Heads: c.sub.Heads()} }

// beat says that the server lives, and asks the same of the client.
func (c *socket) beat() error {
	if err := c.writeTimed(c.heartbeat()); err != nil {
		return err
	}
	deadline := c.server.clock.Now().Add(c.server.config.Timing.Write)
	return c.conn.WriteControl(websocket.PingMessage, nil, deadline)
}

func (c *socket) extendWrite() {
	// Fails only on a connection that is gone, as the write will show.
	_ = c.conn.SetWriteDeadline(c.server.clock.Now().Add(c.server.config.Timing.Write))
}

func (c *socket) writeTimed(f protocol.Frame) error {
	c.extendWrite()
	return c.writeFrame(f)
}

func (c *socket) writeFrame(f protocol.Frame) error {
	data, err := protocol.Encode(f)
	if err != nil {
		return err
	}
	return c.conn.WriteMessage(websocket.TextMessage, data)
}
