// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// outside plays the internet: what is dialled at a public address is answered on loopback, and what nobody plays is
// refused as a closed port would be.
type outside struct {
	mu      sync.Mutex
	servers map[netip.AddrPort]string
	silent  map[netip.AddrPort]bool
	dialled []string
}

func newOutside() *outside {
	return &outside{servers: map[netip.AddrPort]string{}, silent: map[netip.AddrPort]bool{}}
}

// dial is the only way out that the gateway under test has.
func (o *outside) dial(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	o.mu.Lock()
	o.dialled = append(o.dialled, addr.String())
	server, ok := o.servers[addr]
	silent := o.silent[addr]
	o.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !ok {
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	}
	return new(net.Dialer).DialTCP(ctx, "tcp", netip.AddrPort{}, netip.MustParseAddrPort(server))
}

func (o *outside) dials() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.dialled)
}

func (o *outside) at(addr, server string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.servers[netip.MustParseAddrPort(addr)] = server
}

func (o *outside) neverAnswer(addr string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silent[netip.MustParseAddrPort(addr)] = true
}

// startServer hands every connection to serve, which owns it, and returns its address.
func startServer(tb testing.TB, serve func(*net.TCPConn)) string {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				if tcp, ok := conn.(*net.TCPConn); ok {
					_ = tcp.SetDeadline(time.Now().Add(time.Minute))
					serve(tcp)
				}
			})
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// startEcho is a recipient that proves to be host and sends back what it gets.
func startEcho(tb testing.TB, ca *authority, host string) string {
	tb.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.server(tb, host)}}
	return startServer(tb, func(conn *net.TCPConn) {
		secured := tls.Server(conn, config)
		_, _ = io.Copy(secured, secured)
		_ = secured.CloseWrite()
	})
}
