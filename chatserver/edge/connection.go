// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// transport takes frames to a client. Its methods are for who has the connection's turn.
type transport interface {
	// write sends encoded frames, for each of which the client has Timing.Write; a client that does not read is a
	// time-out.
	write(frames ...[]byte) error
	// ping asks the client for a sign of life, if it can give one.
	ping() error
	// leave sends a last frame, unless it is nil, and the end, within Timing.Farewell. Whether they arrive does not
	// matter.
	leave(frame []byte, code int)
	// abort ends what takes no more bytes.
	abort()
	// close ends it without a word.
	close()
}

// connection brings what a subscription has to its client, over whatever carries it.
type connection struct {
	server    *Server
	transport transport
	// open and ended count connections of this transport.
	open      *prometheus.GaugeVec
	ended     *prometheus.CounterVec
	principal identity.Principal
	sub       *conversation.Subscription
	// slots holds one entry per frame that waits for its answer, so replies never blocks its senders. A stream has
	// neither: its client's frames are answered where they come.
	slots   chan struct{}
	replies chan protocol.Frame
	// turns are those of whoever writes to the client; start has work done by who has been given one.
	turns    turns
	start    func()
	schedule schedule
	// lifetime is how long the connection lasts at most; 0 is for ever.
	lifetime time.Duration
	// last is the first reason given to end the connection.
	last chan farewell
	// draining is told how long the client should wait before it comes back.
	draining chan time.Duration
}

// join finds out who says hello and subscribes them.
func (c *connection) join(
	ctx context.Context, frame protocol.Frame, cookie redacted.String,
) (*protocol.Welcome, error) {
	hello, ok := frame.(*protocol.Hello)
	if !ok {
		return nil, violation("the first frame must be hello")
	}
	if hello.Protocol != protocol.Version {
		return nil, violation("this server speaks protocol 1")
	}
	var err error
	if c.principal, err = c.server.identify(ctx, hello.Token.String, cookie); err != nil {
		return nil, err
	}
	if c.sub, err = c.server.config.Engine.Subscribe(ctx, c.principal, hello.Cursors); err != nil {
		return nil, err
	}
	p := c.principal
	return &protocol.Welcome{
		Protocol: protocol.Version, Epoch: c.server.config.Engine.Epoch(),
		Self:             protocol.Person{Kind: p.Kind, ID: p.ID, DisplayName: protocol.Text{String: p.DisplayName}},
		HeartbeatSeconds: int(c.server.config.Timing.Heartbeat / time.Second),
	}, nil
}

// identify takes the token if there is one, so that an agent can try their own site's widget in the same browser.
func (s *Server) identify(ctx context.Context, token, cookie redacted.String) (identity.Principal, error) {
	if !token.IsEmpty() {
		return s.config.Identity.Visitor(ctx, token)
	}
	return s.config.Identity.Agent(ctx, cookie)
}

// farewell is how a connection ends.
type farewell struct {
	// frame is sent first, if there is one.
	frame protocol.Frame
	// code closes a WebSocket; reason is for the metrics.
	code   int
	reason string
}

// farewellTo decides how a connection ends because of err: some errors pass, the others are the client's doing.
func (s *Server) farewellTo(err error) farewell {
	answer := s.answerTo(err)
	return farewell{frame: answer.frame(), code: closeCode(answer.code), reason: string(answer.code)}
}

func closeCode(code protocol.Code) int {
	switch code {
	case protocol.TooLarge:
		return websocket.CloseMessageTooBig
	case protocol.Unavailable, protocol.Internal, protocol.RateLimited:
		return websocket.CloseTryAgainLater
	default:
		return websocket.ClosePolicyViolation
	}
}

// dismiss says goodbye.
func (c *connection) dismiss(f farewell) {
	c.ended.WithLabelValues(f.reason).Inc()
	var last []byte
	if f.frame != nil {
		// A frame that cannot be encoded is missing; the end comes without it.
		last, _ = protocol.Encode(f.frame)
	}
	c.transport.leave(last, f.code)
}

// end asks the writer to end the connection; the first reason wins.
func (c *connection) end(f farewell) {
	select {
	case c.last <- f:
	default:
	}
	c.wake()
}

// reply answers a client's frame.
func (c *connection) reply(f protocol.Frame) {
	c.replies <- f
	c.wake()
}

// goAway asks the client to come back after delay.
func (c *connection) goAway(delay time.Duration) {
	select {
	case c.draining <- delay:
	default:
	}
	c.wake()
}
