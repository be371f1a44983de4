// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// Time-outs and sizes of connections that are not, or not yet, WebSockets.
const (
	writeTimeout    = 30 * time.Second
	idleTimeout     = 60 * time.Second
	shutdownTimeout = 2 * time.Second
	maxHeaderBytes  = 8 << 10
	// sendBuffer bounds what the kernel holds for a client that does not read.
	sendBuffer = 128 << 10
)

// certificates hands out the current server certificate.
type certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Serve answers connections of listener, each of which must begin with a PROXY protocol version 2 header and continue
// with TLS for this endpoint's name. It returns when ctx ends, leaving open WebSockets to Drain.
func (s *Server) Serve(ctx context.Context, listener net.Listener, current certificates) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.config.Timing.RequestHeader,
		ReadTimeout:       s.config.Timing.Request,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Its messages carry client addresses.
		ErrorLog: log.New(faultCounter{s.metrics}, "", 0),
		// HTTP/1 only: WebSockets need it, and its limits on slow clients hold for every request.
		Protocols: http1(),
		ConnState: letThrough,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(tls.NewListener(s.behindProxy(listener), s.tlsConfig(current))) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return shutDown(context.WithoutCancel(ctx), server)
	}
}

// shutDown lets running requests finish. WebSockets are not the HTTP server's any more.
func shutDown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shut down: %w", err), server.Close())
	}
	return nil
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

var errOtherName = errors.New("no certificate for that name")

func (s *Server) tlsConfig(current certificates) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if !strings.EqualFold(hello.ServerName, s.config.Host) {
				return nil, errOtherName
			}
			return current(hello)
		},
	}
}

var errProxyHeader = errors.New("want a PROXY protocol version 2 header of a proxied TCP connection")

func (s *Server) behindProxy(listener net.Listener) net.Listener {
	limited := &limitListener{
		Listener: listener, limit: int64(s.config.Limits.Connections), metrics: s.metrics,
		clock: s.clock, pace: s.config.Limits.Accepts.limiter(), gate: newGate(runtime.GOMAXPROCS(0)),
	}
	return &proxyproto.Listener{
		Listener:          limited,
		ReadHeaderTimeout: s.config.Timing.ProxyHeader,
		ConnPolicy:        func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil },
		ValidateHeader: func(h *proxyproto.Header) error {
			tcp := h.TransportProtocol == proxyproto.TCPv4 || h.TransportProtocol == proxyproto.TCPv6
			if h.Version != 2 || !h.Command.IsProxy() || !tcp {
				return errProxyHeader
			}
			return nil
		},
	}
}

// limitListener closes connections beyond a limit at once, before they cost a goroutine. The others it takes at a pace:
// of ten thousand clients that come back at the same moment each is served within seconds, and those who are already
// connected do not wait behind all the handshakes. Meanwhile newcomers wait in the kernel's queue.
type limitListener struct {
	net.Listener
	clock   clock.PassiveClock
	pace    *rate.Limiter
	gate    gate
	limit   int64
	open    atomic.Int64
	metrics *Metrics
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, fmt.Errorf("accept: %w", err)
		}
		if l.open.Add(1) <= l.limit {
			l.keepPace()
			return l.admit(conn), nil
		}
		l.open.Add(-1)
		l.metrics.refused.Inc()
		_ = conn.Close()
	}
}

// keepPace waits for the next connection's turn, which is never far: there is one that waits. It comes after those who
// came before: when there is too little time for all, they wait in the kernel and not, against their time-outs, here.
func (l *limitListener) keepPace() {
	l.gate.pass()
	now := l.clock.Now()
	if wait := l.pace.ReserveN(now, 1).DelayFrom(now); wait > 0 {
		time.Sleep(wait)
	}
}

func (l *limitListener) admit(conn net.Conn) net.Conn {
	l.metrics.connections.Inc()
	if tcp, ok := conn.(*net.TCPConn); ok {
		// Not essential: without it a slow reader is found out later.
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	return &limitedConn{newcomer: newcomer{shallow: shallow{Conn: conn}, gate: l.gate}, release: sync.OnceFunc(func() {
		l.open.Add(-1)
		l.metrics.connections.Dec()
	})}
}

type limitedConn struct {
	newcomer
	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.newcomer.Close()
}

// faultCounter counts what the HTTP server would log.
type faultCounter struct{ metrics *Metrics }

// Write implements io.Writer.
func (f faultCounter) Write(line []byte) (int, error) {
	f.metrics.faults.Inc()
	return len(line), nil
}
