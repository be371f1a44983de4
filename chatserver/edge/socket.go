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

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// maxInFlight bounds the frames of one socket that wait for their answer. A client that sends more is not read from.
const maxInFlight = 32

const (
	handshakeTimeout = 5 * time.Second
	// readBuffer holds a control frame; what is longer is read past it.
	readBuffer  = 256
	writeBuffer = 4096
)

// writeBuffers are shared by all sockets: most are idle most of the time.
var writeBuffers sync.Pool

var errFault = errors.New("a fault ended the socket")

// socket is one WebSocket. One goroutine reads from it; another writes to it while there is something to write.
type socket struct {
	connection
	// cancel ends what is being done for it.
	cancel context.CancelFunc
	conn   *websocket.Conn
	net    *corked
	cookie redacted.String
	frames *rate.Limiter
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
	c := s.newSocket(r)
	if err := s.connections.add(&c.connection, s.clock.Now()); err != nil {
		return err
	}
	if !c.takeOver(w, r) {
		s.connections.remove(&c.connection)
		return nil
	}
	// The handler returns: what the HTTP server keeps for a request is several times what an idle socket needs.
	go c.welcome(context.WithoutCancel(r.Context()))
	return nil
}

// takeOver makes the request's connection a WebSocket, or answers why not.
func (c *socket) takeOver(w http.ResponseWriter, r *http.Request) (ok bool) {
	takeover := corking{ResponseWriter: w}
	conn, err := upgrader.Upgrade(&takeover, r, nil)
	c.conn, c.net = conn, takeover.conn
	return err == nil
}

// survive keeps a fault in one socket from ending them all.
func (c *socket) survive(done func()) {
	if v := recover(); v != nil {
		_ = c.server.panicked(v)
		c.close()
		done()
	}
}

func (s *Server) newSocket(r *http.Request) *socket {
	c := &socket{
		connection: connection{
			server: s, open: s.metrics.sockets, ended: s.metrics.closed,
			slots: make(chan struct{}, maxInFlight), replies: make(chan protocol.Frame, maxInFlight),
			last: make(chan farewell, 1), draining: make(chan time.Duration, 1),
		},
		cookie: cookieOf(r), frames: s.limits.frames.limiter(),
	}
	c.transport = c
	return c
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

// welcome hears who it is, has them listened to, and tells what there is.
func (c *socket) welcome(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.start = func() { go c.speak(ctx) }
	welcome, err := c.meet(ctx)
	if err != nil {
		c.turnAway(err)
		return
	}
	c.enter()
	c.watchControlFrames()
	go c.listen(ctx)
	defer c.survive(c.turns.end)
	c.begin(ctx, welcome)
}

// meet is greet, of which a fault is the end of this socket only.
func (c *socket) meet(ctx context.Context) (_ *protocol.Welcome, err error) {
	defer c.survive(func() { err = &gone{errFault} })
	return c.greet(ctx)
}

// turnAway ends a socket that did not get to a welcome.
func (c *socket) turnAway(err error) {
	defer c.server.connections.remove(&c.connection)
	defer c.close()
	if !isGone(err) {
		c.dismiss(c.server.farewellTo(err))
		c.discard()
	}
}

// speak works through a turn.
func (c *socket) speak(ctx context.Context) {
	defer c.survive(c.turns.end)
	c.work(ctx)
}

// leaveServer ends a socket.
func (c *socket) leaveServer() {
	c.server.departing.Lock()
	defer c.server.departing.Unlock()
	// Who left needs no goodbye, and who was sent away has had it: nothing here waits for the client.
	c.abort()
	c.close()
	c.exit()
	c.server.connections.remove(&c.connection)
}

// write implements transport. The client has Timing.Write for each record that frames leave in, of 16 KiB or one frame.
func (c *socket) write(frames ...[]byte) error {
	c.net.cork()
	for _, data := range frames {
		// Fails only on a connection that is gone, as the write will show.
		_ = c.conn.SetWriteDeadline(c.server.clock.Now().Add(c.server.config.Timing.Write))
		if err := c.conn.WriteMessage(websocket.TextMessage, data); err != nil {
			_ = c.net.uncork()
			return err
		}
	}
	return c.net.uncork()
}

// ping implements transport.
func (c *socket) ping() error {
	deadline := c.server.clock.Now().Add(c.server.config.Timing.Write)
	return c.conn.WriteControl(websocket.PingMessage, nil, deadline)
}

// leave implements transport. It gives the reader until the deadline to see the client close.
func (c *socket) leave(frame []byte, code int) {
	deadline := c.server.clock.Now().Add(c.server.config.Timing.Farewell)
	if frame != nil {
		_ = c.conn.SetWriteDeadline(deadline)
		_ = c.conn.WriteMessage(websocket.TextMessage, frame)
	}
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline)
	c.deadline.Lock()
	defer c.deadline.Unlock()
	c.leaving = true
	_ = c.conn.SetReadDeadline(deadline)
	c.cancel()
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

// abort implements transport: a connection that takes no more bytes would hold up TLS's goodbye.
func (c *socket) abort() {
	if secured, ok := c.net.Conn.(*tls.Conn); ok {
		_ = secured.NetConn().Close()
	}
}

// close implements transport. It ends the reader too.
func (c *socket) close() {
	c.cancel()
	_ = c.conn.Close()
}
