// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// maxInFlight bounds the frames of one socket that wait for their answer. A client that sends more is not read from.
const maxInFlight = 32

const (
	handshakeTimeout = 5 * time.Second
	readBuffer       = 1024
	writeBuffer      = 4096
)

// writeBuffers are shared by all sockets: most are idle most of the time.
var writeBuffers sync.Pool

// socket is one WebSocket. One goroutine reads from it, one writes to it.
type socket struct {
	server    *Server
	conn      *websocket.Conn
	cookie    redacted.String
	principal identity.Principal
	sub       *conversation.Subscription
	frames    *rate.Limiter
	// slots holds one entry per frame that waits for its answer, so replies never blocks its senders.
	slots   chan struct{}
	replies chan protocol.Frame
	// last is the first reason given to end the socket.
	last chan farewell
	// draining is told how long the client should wait before it comes back.
	draining chan time.Duration
	// deadline guards the read deadline: once leaving, the reader must not put it off.
	deadline sync.Mutex
	leaving  bool
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) error {
	if err := requireOwnOrigin(r); err != nil {
		return err
	}
	if err := s.limits.handshakes.take(addressKey(r)); err != nil {
		return err
	}
	if !slices.Contains(websocket.Subprotocols(r), protocol.Subprotocol) {
		return &apiError{code: protocol.InvalidRequest, message: "the subprotocol must be " + protocol.Subprotocol}
	}
	c := &socket{
		server: s, cookie: cookieOf(r), frames: s.limits.frames.limiter(),
		slots: make(chan struct{}, maxInFlight), replies: make(chan protocol.Frame, maxInFlight),
		last: make(chan farewell, 1), draining: make(chan time.Duration, 1),
	}
	if !s.sockets.add(c) {
		return &apiError{code: protocol.Unavailable, message: "this replica is going away", retryAfter: retryBusy}
	}
	defer s.sockets.remove(c)
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil // The upgrader has answered the client.
	}
	c.conn = conn
	defer func() { _ = conn.Close() }()
	c.serve(r.Context())
	return nil
}

var upgrader = &websocket.Upgrader{
	HandshakeTimeout: handshakeTimeout,
	ReadBufferSize:   readBuffer,
	WriteBufferSize:  writeBuffer,
	WriteBufferPool:  &writeBuffers,
	Subprotocols:     []string{protocol.Subprotocol},
	// Checked before, with our own answer.
	CheckOrigin: func(*http.Request) bool { return true },
	Error: func(w http.ResponseWriter, _ *http.Request, _ int, _ error) {
		writeError(w, &apiError{code: protocol.InvalidRequest, message: "not a WebSocket handshake"})
	},
}

// serve runs a socket from hello to its end.
func (c *socket) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	welcome, err := c.greet(ctx)
	if isGone(err) {
		return
	}
	if err != nil {
		c.leave(c.server.farewellTo(err))
		c.discard()
		return
	}
	defer c.sub.Close()
	gauge := c.server.metrics.sockets.WithLabelValues(string(c.principal.Kind))
	gauge.Inc()
	defer gauge.Dec()
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer cancel()
		c.write(ctx, welcome)
	}()
	c.read(ctx)
	cancel()
	<-written
}

// farewell is how a socket ends.
type farewell struct {
	// frame is sent first, if there is one.
	frame protocol.Frame
	// code closes the WebSocket; reason is for the metrics.
	code   int
	reason string
}

// farewellTo decides how a socket ends because of err: some errors pass, the others are the client's doing.
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

// leave sends the last frame and the close frame. Errors do not matter: the connection ends either way.
func (c *socket) leave(f farewell) {
	c.server.metrics.closed.WithLabelValues(f.reason).Inc()
	deadline := c.server.clock.Now().Add(c.server.config.Timing.Farewell)
	if f.frame != nil {
		_ = c.conn.SetWriteDeadline(deadline)
		_ = c.writeFrame(f.frame)
	}
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(f.code, ""), deadline)
	c.deadline.Lock()
	defer c.deadline.Unlock()
	c.leaving = true
	_ = c.conn.SetReadDeadline(deadline)
}

// discard reads until the client closes or the time for that is over: closing with unread data would reset the
// connection and take the last frame with it.
func (c *socket) discard() {
	for {
		_, _, err := c.conn.NextReader()
		if errors.Is(err, websocket.ErrReadLimit) {
			// There are no more frames to tell apart.
			_, _ = io.Copy(io.Discard, c.conn.NetConn())
		}
		if err != nil {
			return
		}
	}
}

// abort ends a connection that takes no more bytes, without waiting to say goodbye in TLS.
func (c *socket) abort() {
	if secured, ok := c.conn.NetConn().(*tls.Conn); ok {
		_ = secured.NetConn().Close()
	}
}

// end asks the writer to end the socket; the first reason wins.
func (c *socket) end(f farewell) {
	select {
	case c.last <- f:
	default:
	}
}
