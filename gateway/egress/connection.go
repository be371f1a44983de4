// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/hello"
	"github.com/chattenant/chattenant/gateway/relay"
	"github.com/chattenant/chattenant/gateway/socket"
)

const (
	// pendingRoom is how many connections may be open beyond those the limits count, to say what they want.
	pendingRoom = 128
	// maxHelloBytes bounds a ClientHello, record headers included. Go's takes 2 KiB with post-quantum keys.
	maxHelloBytes = 16 << 10
	// farewellTime bounds how long a refused client is listened to, lest a reset overtake the answer.
	farewellTime = time.Second
	// farewellBytes bounds how much of it is.
	farewellBytes = 64 << 10
	// firstWriteTimeout bounds handing a ClientHello to a fresh connection, whose buffers take it at once.
	firstWriteTimeout = 5 * time.Second
)

// handler is the server as its accept loop sees it.
type handler struct{ *Server }

// Admit implements [accept.Handler].
func (h handler) Admit(*net.TCPConn) bool {
	if h.room.Add(1) > int64(h.policy.Load().limits.MaxConnections)+pendingRoom {
		h.room.Add(-1)
		h.Metrics.decided(ResultOverflow)
		return false
	}
	return true
}

// Handle implements [accept.Handler].
func (h handler) Handle(ctx context.Context, client *net.TCPConn) {
	defer h.room.Add(-1)
	c := &connection{Server: h.Server, policy: h.policy.Load(), tcp: client, start: h.Clock.Now()}
	defer func() { _ = client.Close() }()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	result := c.serve(ctx)
	h.Metrics.decided(result)
	c.log(result)
}

// connection is one client's, from its first byte to its end.
type connection struct {
	*Server

	policy *policy
	tcp    *net.TCPConn
	start  time.Time
	// tls and request are set by greet.
	tls     *tls.Conn
	request *request
	// session is set when the endpoint is declared.
	session        *session
	sent, received *tally
}

func (c *connection) serve(ctx context.Context) Result {
	if result, ok := c.greet(ctx); !ok {
		return result
	}
	endpoint, err := c.request.endpoint()
	if err != nil {
		return c.turnAway(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := c.enter(endpoint, cancel); err != nil {
		return c.turnAway(err)
	}
	defer c.leave()
	defer context.AfterFunc(ctx, func() { _ = c.tcp.Close() })()
	return c.ended(ctx, c.serveSession(ctx))
}

// ended corrects the result of a connection that was ended from without: what it failed at is not why.
func (c *connection) ended(ctx context.Context, result Result) Result {
	switch {
	case ctx.Err() == nil:
		return result
	case errors.Is(context.Cause(ctx), errWithdrawn) && result != ResultRelayed:
		return Result(egressconfig.ReasonWithdrawn)
	default:
		return ResultCut
	}
}

// greet makes sure that the client is the tenant's chat server.
func (c *connection) greet(ctx context.Context) (Result, bool) {
	if err := socket.LimitUnacknowledged(c.tcp); err != nil {
		return ResultClientGone, false
	}
	if err := c.tcp.SetDeadline(c.start.Add(c.policy.limits.Request())); err != nil {
		return ResultClientGone, false
	}
	c.tls = tls.Server(c.tcp, c.TLS())
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return unread(err, ResultClientRefused), false
	}
	c.request = newRequest(c.tls)
	return "", true
}

// unread names an error of reading from the client, which is otherwise when it is neither late nor gone.
func unread(err error, otherwise Result) Result {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ResultRequestTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return ResultClientGone
	default:
		return otherwise
	}
}

// enter finds whose endpoint this is and registers the connection.
func (c *connection) enter(endpoint egressconfig.Endpoint, cancel context.CancelCauseFunc) error {
	c.policy = c.Server.policy.Load()
	recipient, ok := c.policy.recipient(endpoint)
	c.session = &session{recipient: recipient, endpoint: endpoint, cancel: cancel}
	if !ok {
		return refuse(http.StatusForbidden, egressconfig.ReasonNotDeclared)
	}
	if reason, ok := c.sessions.join(c.session, c.policy.limits); !ok {
		return refuse(http.StatusForbidden, reason)
	}
	c.sent = &tally{metric: c.session.traffic.sent, lastUsed: c.session.traffic.lastUsed, clock: c.Clock}
	c.received = &tally{metric: c.session.traffic.received, lastUsed: c.session.traffic.lastUsed, clock: c.Clock}
	// What was declared a moment ago, and is not now, was withdrawn without this session.
	if !c.Server.policy.Load().declares(endpoint, recipient) {
		c.leave()
		return refuse(http.StatusForbidden, egressconfig.ReasonNotDeclared)
	}
	return nil
}

func (c *connection) leave() {
	c.sessions.leave(c.session, c.Server.policy.Load().names)
}

// serveSession takes a declared endpoint from its name to the end of the connection.
func (c *connection) serveSession(ctx context.Context) Result {
	limits, host := c.policy.limits, c.session.endpoint.Host
	addrs, err := c.resolve(ctx, host, limits.Resolve())
	switch {
	case errors.Is(err, errNotPublic):
		return c.turnAway(refuse(http.StatusForbidden, egressconfig.ReasonAddressRefused))
	case err != nil:
		return c.turnAway(refuse(http.StatusForbidden, egressconfig.ReasonNotResolved))
	}
	first, result := c.readHello(ctx, host)
	if result != ResultRelayed {
		return c.alert(result)
	}
	upstream, err := c.connect(ctx, addrs, c.session.endpoint.Port, limits.Dial())
	if err != nil {
		return c.alert(Result(egressconfig.ReasonUnreachable))
	}
	defer func() { _ = upstream.Close() }()
	if err := c.sendFirst(upstream, first.Raw); err != nil {
		return c.alert(Result(egressconfig.ReasonUnreachable))
	}
	c.Metrics.connect.Observe(c.Clock.Since(c.start).Seconds())
	return c.relay(ctx, upstream)
}

// readHello answers the CONNECT and reads what the client says to its recipient first. With ResultRelayed it asks for
// host and nothing else; any other result is a refusal.
func (c *connection) readHello(ctx context.Context, host string) (hello.Hello, Result) {
	if err := c.tcp.SetDeadline(c.Clock.Now().Add(c.policy.limits.Hello())); err != nil {
		return hello.Hello{}, ResultClientGone
	}
	if _, err := io.WriteString(c.tls, established); err != nil {
		return hello.Hello{}, ResultClientGone
	}
	first, err := hello.Read(ctx, stream{c.tls, c.request}, maxHelloBytes)
	return first, judge(first, err, host)
}

func judge(first hello.Hello, err error, host string) Result {
	switch {
	case errors.Is(err, hello.ErrTimeout):
		return Result(egressconfig.ReasonHelloTimeout)
	case errors.Is(err, hello.ErrNotTLS):
		return Result(egressconfig.ReasonNotTLS)
	case err != nil:
		return ResultClientGone
	case first.Encrypted:
		return Result(egressconfig.ReasonEncryptedClientHello)
	case first.ServerName == "":
		return Result(egressconfig.ReasonServerNameMissing)
	case first.ServerName != host:
		return Result(egressconfig.ReasonServerNameMismatch)
	default:
		return ResultRelayed
	}
}

// stream reads a connection from the buffer that its request was read through: a client may send its ClientHello
// without waiting for the answer.
type stream struct {
	net.Conn

	reader io.Reader
}

// Read implements io.Reader.
func (s stream) Read(p []byte) (int, error) { return s.reader.Read(p) }

func (c *connection) sendFirst(upstream *net.TCPConn, raw []byte) error {
	if err := socket.LimitUnacknowledged(upstream); err != nil {
		return err
	}
	if err := upstream.SetWriteDeadline(c.Clock.Now().Add(firstWriteTimeout)); err != nil {
		return err
	}
	if _, err := upstream.Write(raw); err != nil {
		return err
	}
	c.sent.Add(float64(len(raw)))
	return upstream.SetWriteDeadline(time.Time{})
}

func (c *connection) relay(ctx context.Context, upstream *net.TCPConn) Result {
	if err := c.tcp.SetDeadline(time.Time{}); err != nil {
		return ResultCut
	}
	(&relay.Relay{
		Client:            relay.TLS(c.tls, c.request.Reader),
		Upstream:          relay.TCP(upstream),
		In:                c.sent,
		Out:               c.received,
		Clock:             c.Clock,
		IdleTimeout:       c.policy.limits.Idle(),
		HalfClosedTimeout: c.policy.limits.HalfClosed(),
	}).Run(ctx)
	return ResultRelayed
}
