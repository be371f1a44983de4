// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/gateway/hello/hellotest"
	"github.com/chattenant/chattenant/gateway/ingress"
	"github.com/chattenant/chattenant/gateway/socket"
)

const (
	acmeHost = "chat.acme.example"
	initHost = "chat.initech.example"
)

func TestNamesLeadToTheirTenants(t *testing.T) {
	g := startGateway(t, nil)
	acme, initech := startTLSTenant(t, acmeHost), startTLSTenant(t, initHost)
	g.serveTenant(acmeHost, "acme", acme.addr)
	g.serveTenant(initHost, "initech", initech.addr)

	assertEcho(t, g.handshake(t, acme, &tls.Config{ServerName: acmeHost}), "hello acme")
	assertEcho(t, g.handshake(t, initech, &tls.Config{ServerName: initHost}), "hello initech")
	if acme.seen() != 1 || initech.seen() != 1 {
		t.Errorf("connections of acme %d, of initech %d, want 1 each", acme.seen(), initech.seen())
	}
	if got := g.decided(t, ingress.ResultRouted); got != 2 {
		t.Errorf("routed connections counted: %v, want 2", got)
	}
}

func TestTheTenantLearnsTheClientsAddress(t *testing.T) {
	g := startGateway(t, nil)
	acme := startTLSTenant(t, acmeHost)
	g.serveTenant(acmeHost, "acme", acme.addr)
	conn := g.handshake(t, acme, &tls.Config{ServerName: acmeHost})

	header := acme.header(t, 0)
	if diff := cmp.Diff(conn.LocalAddr().String(), header.SourceAddr.String()); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(g.addr, header.DestinationAddr.String()); diff != "" {
		t.Errorf("destination (-want +got):\n%s", diff)
	}
	if header.Version != 2 {
		t.Errorf("PROXY protocol version %d, want 2", header.Version)
	}
}

func TestTheTenantLearnsTheClientsIPv6Address(t *testing.T) {
	listener, err := socket.Listen(t.Context(), "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 loopback here: %v", err)
	}
	g := startGatewayOn(t, listener, listener.Addr().String(), nil)
	acme := startTLSTenant(t, acmeHost)
	g.serveTenant(acmeHost, "acme", acme.addr)
	conn := g.handshake(t, acme, &tls.Config{ServerName: acmeHost})
	if diff := cmp.Diff(conn.LocalAddr().String(), acme.header(t, 0).SourceAddr.String()); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
}

func TestTheCaseOfANameDoesNotMatter(t *testing.T) {
	g := startGateway(t, nil)
	acme := startTLSTenant(t, acmeHost)
	g.serveTenant(acmeHost, "acme", acme.addr)
	assertEcho(t, g.handshake(t, acme, &tls.Config{ServerName: "CHAT.Acme.Example"}), "hello")
}

func TestACertificateChallengeReachesTheTenantLikeAnythingElse(t *testing.T) {
	g := startGateway(t, nil)
	acme := startTLSTenant(t, acmeHost)
	g.serveTenant(acmeHost, "acme", acme.addr)
	conn := g.handshake(t, acme, &tls.Config{ServerName: acmeHost, NextProtos: []string{"acme-tls/1"}})
	if got := conn.ConnectionState().NegotiatedProtocol; got != "acme-tls/1" {
		t.Errorf("negotiated %q with the tenant, want acme-tls/1", got)
	}
}

// TestAHelloArrivesByteForByte sends hellos that are legal but unusual and expects each at the tenant unchanged.
func TestAHelloArrivesByteForByte(t *testing.T) {
	plain := hellotest.For(t, acmeHost)
	tests := map[string][]byte{
		"one record":                     plain,
		"records of one byte":            hellotest.InRecordsOf(1, plain),
		"records of 100 bytes":           hellotest.InRecordsOf(100, plain),
		"a reserved (GREASE) extension":  hellotest.WithExtension(t, plain, 0x0a0a, []byte{0}),
		"an encrypted hello beside it":   hellotest.WithExtension(t, plain, 0xfe0d, hellotest.OuterECH()),
		"padding to 8 KiB":               hellotest.WithExtension(t, plain, 21, make([]byte, 8<<10)),
		"early data in the same segment": append(bytes.Clone(plain), 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 2, 9, 9),
	}
	for name, hello := range tests {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			got := make(chan []byte, 1)
			tenant := startTenant(t, func(conn net.Conn) {
				read, _ := io.ReadAll(conn)
				got <- read
			})
			g.serveTenant(acmeHost, "acme", tenant.addr)
			conn := g.send(t, hello)
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			assertClosed(t, conn)
			if diff := cmp.Diff(hello, <-got); diff != "" {
				t.Errorf("bytes at the tenant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHandshakeSucceedsHoweverItIsCut(t *testing.T) {
	tests := map[string]func(net.Conn) net.Conn{
		"every byte a segment": func(c net.Conn) net.Conn { return &dribble{Conn: c} },
		"records of 16 bytes":  func(c net.Conn) net.Conn { return &refragment{Conn: c} },
	}
	for name, wrap := range tests {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			acme := startTLSTenant(t, acmeHost)
			g.serveTenant(acmeHost, "acme", acme.addr)
			conn := tls.Client(wrap(g.connect(t)), &tls.Config{ServerName: acmeHost, RootCAs: acme.roots})
			assertEcho(t, conn, "hello")
		})
	}
}

// dribble writes byte by byte. TCP_NODELAY is on by default, so that each leaves as a segment of its own.
type dribble struct {
	net.Conn

	pause time.Duration
}

func (d *dribble) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(d.pause)
	}
	return len(p), nil
}

// refragment cuts the first flight into records of 16 bytes.
type refragment struct {
	net.Conn

	done bool
}

func (r *refragment) Write(p []byte) (int, error) {
	if r.done {
		return r.Conn.Write(p)
	}
	r.done = true
	if _, err := r.Conn.Write(hellotest.InRecordsOf(16, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
