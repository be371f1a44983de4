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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"
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
	limited := &limitListener{Listener: listener, limit: int64(s.config.Limits.Connections), metrics: s.metrics}
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

// limitListener closes connections beyond a limit at once, before they cost a goroutine.
type limitListener struct {
	net.Listener
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
			return l.admit(conn), nil
		}
		l.open.Add(-1)
		l.metrics.refused.Inc()
		_ = conn.Close()
	}
}

func (l *limitListener) admit(conn net.Conn) net.Conn {
	l.metrics.connections.Inc()
	if tcp, ok := conn.(*net.TCPConn); ok {
		// Not essential: without it a slow reader is found out later.
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	return &limitedConn{Conn: conn, release: sync.OnceFunc(func() {
		l.open.Add(-1)
		l.metrics.connections.Dec()
	})}
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// faultCounter counts what the HTTP server would log.
type faultCounter struct{ metrics *Metrics }

// Write implements io.Writer.
func (f faultCounter) Write(line []byte) (int, error) {
	f.metrics.faults.Inc()
	return len(line), nil
}
