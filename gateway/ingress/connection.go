// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/chattenant/chattenant/gateway/hello"
	"github.com/chattenant/chattenant/gateway/relay"
	"github.com/chattenant/chattenant/gateway/socket"
)

// alertTimeout bounds the goodbye to a client that is turned away: seven bytes fit any fresh socket's buffer.
const alertTimeout = time.Second

// prefaceTimeout bounds sending what the client has said so far to its chat server.
const prefaceTimeout = 5 * time.Second

// handler is the server as its accept loop sees it.
type handler struct{ *Server }

// Admit implements [accept.Handler]: no source and not all together get more than their share.
func (h handler) Admit(client *net.TCPConn) bool {
	if refusal := h.admission.enter(sourceOf(clientAddr(client))); refusal != ResultRouted {
		h.Metrics.decided(refusal)
		return false
	}
	return true
}

// Handle implements [accept.Handler].
func (h handler) Handle(ctx context.Context, client *net.TCPConn) {
	defer h.admission.exit(sourceOf(clientAddr(client)))
	h.handle(ctx, client)
}

func clientAddr(client *net.TCPConn) netip.Addr {
	if addr, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr()
	}
	return netip.Addr{}
}

// handle serves one connection to its end.
func (s *Server) handle(parent context.Context, client *net.TCPConn) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	defer func() { _ = client.Close() }()
	session, upstream, result := s.open(ctx, cancel, client)
	s.Metrics.decided(result)
	if result != ResultRouted {
		s.turnAway(client, result)
		return
	}
	defer s.leave(session)
	(&relay.Relay{
		Client:            relay.TCP(client),
		Upstream:          relay.TCP(upstream),
		In:                session.tenant.traffic.in,
		Out:               session.tenant.traffic.out,
		Clock:             s.Clock,
		IdleTimeout:       s.Config.IdleTimeout,
		HalfClosedTimeout: s.Config.HalfClosedTimeout,
	}).Run(ctx)
}

// open takes a connection from its first byte to the tenant's chat server. It is a function of its own so that the
// ClientHello's buffer is gone before the long part of the connection's life begins.
func (s *Server) open(
	ctx context.Context, cancel context.CancelFunc, client *net.TCPConn,
) (*session, *net.TCPConn, Result) {
	first, result := s.greet(ctx, client)
	if result != ResultRouted {
		return nil, nil, result
	}
	session, result := s.enter(first.ServerName, cancel)
	if result != ResultRouted {
		return nil, nil, result
	}
	upstream, err := s.connect(ctx, session.tenant.name, client, first.Raw)
	if err != nil {
		s.leave(session)
		session.tenant.logError.Do(func() {
			s.Log.Error(err, "chat server unavailable", "tenant", session.tenant.name)
		})
		return nil, nil, ResultUpstreamUnavailable
	}
	session.tenant.traffic.in.Add(float64(len(first.Raw)))
	return session, upstream, ResultRouted
}

// greet reads the ClientHello within its time limit.
func (s *Server) greet(ctx context.Context, client *net.TCPConn) (hello.Hello, Result) {
	start := s.Clock.Now()
	if err := socket.LimitUnacknowledged(client); err != nil {
		return hello.Hello{}, ResultClientGone
	}
	if err := client.SetReadDeadline(start.Add(s.Config.HandshakeTimeout)); err != nil {
		return hello.Hello{}, ResultClientGone
	}
	first, err := hello.Read(ctx, client, s.Config.MaxHelloBytes)
	if err != nil {
		return hello.Hello{}, resultOf(err)
	}
	s.Metrics.handshake.Observe(s.Clock.Since(start).Seconds())
	return first, ResultRouted
}

// enter finds the tenant of a server name and registers the connection with it.
func (s *Server) enter(serverName string, cancel context.CancelFunc) (*session, Result) {
	host, ok := hostname(serverName)
	if !ok {
		return nil, ResultNoName
	}
	tenant, ok := s.Routes.Lookup(host)
	if !ok {
		return nil, ResultUnknownName
	}
	session, ok := s.sessions.join(host, tenant, cancel)
	if !ok {
		return nil, ResultTenantLimit
	}
	// A route that moved after Lookup and before join was rechecked without this session.
	if !s.leadsTo(host, tenant) {
		s.leave(session)
		return nil, ResultUnknownName
	}
	return session, ResultRouted
}

// leave ends a session's registration. The last one of a tenant without a route takes the tenant's metrics along.
func (s *Server) leave(session *session) {
	s.sessions.leave(session)
	if !s.leadsTo(session.host, session.tenant.name) {
		s.sessions.forgetIdle(session.tenant.name)
	}
}

// connect dials the tenant's chat server and hands it everything the client has said so far.
func (s *Server) connect(
	ctx context.Context, tenant string, client *net.TCPConn, raw []byte,
) (*net.TCPConn, error) {
	first, err := preface(client, raw)
	if err != nil {
		return nil, err
	}
	upstream, err := s.Dial(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if err := socket.LimitUnacknowledged(upstream); err != nil {
		_ = upstream.Close()
		return nil, err
	}
	if err := s.sendFirst(upstream, first); err != nil {
		_ = upstream.Close()
		return nil, fmt.Errorf("send to chat server: %w", err)
	}
	return upstream, nil
}

// sendFirst writes to a fresh connection, whose buffers take this much at once unless something is wrong.
func (s *Server) sendFirst(upstream *net.TCPConn, first []byte) error {
	if err := upstream.SetWriteDeadline(s.Clock.Now().Add(prefaceTimeout)); err != nil {
		return err
	}
	if _, err := upstream.Write(first); err != nil {
		return err
	}
	return upstream.SetWriteDeadline(time.Time{})
}

// turnAway tells a TLS client why it is refused, as far as it may know.
func (s *Server) turnAway(client *net.TCPConn, result Result) {
	description, ok := result.alert()
	if !ok {
		return
	}
	if err := client.SetWriteDeadline(s.Clock.Now().Add(alertTimeout)); err != nil {
		return
	}
	// The client may be gone, which is all the same now.
	_, _ = client.Write(hello.AlertRecord(description))
}
