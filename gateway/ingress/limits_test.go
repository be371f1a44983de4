// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/gateway/accept"
	"github.com/chattenant/chattenant/gateway/hello/hellotest"
	"github.com/chattenant/chattenant/gateway/ingress"
	"github.com/chattenant/chattenant/gateway/socket"
)

// rawTenant is routed for host and echoes everything, the ClientHello included.
func (g *gateway) rawTenant(tb testing.TB, host, name string) {
	tb.Helper()
	g.serveTenant(host, name, startTenant(tb, echo).addr)
}

// open brings a connection to its tenant, which has echoed the hello when open returns.
func (g *gateway) open(tb testing.TB, hello []byte) *net.TCPConn {
	tb.Helper()
	conn := g.connect(tb)
	assertEcho(tb, conn, string(hello))
	return conn
}

func TestASourceHasItsShareAndGetsItBack(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.MaxConnectionsPerSource = 2 })
	g.rawTenant(t, acmeHost, "acme")
	hello := hellotest.For(t, acmeHost)
	first := g.open(t, hello)
	g.open(t, hello)

	if answer := assertClosed(t, g.connect(t)); len(answer) > 0 {
		t.Errorf("a refused source read %x, want nothing", answer)
	}
	if got := g.decided(t, ingress.ResultSourceLimit); got != 1 {
		t.Errorf("source limits counted: %v, want 1", got)
	}
	_ = first.Close()
	eventually(t, "the place is free again", func() bool { return g.metric(t, "active_connections", "acme") == 1 })
	g.openWhenAdmitted(t, hello)
}

// openWhenAdmitted tries until a place that was given back is there to take.
func (g *gateway) openWhenAdmitted(t *testing.T, hello []byte) {
	t.Helper()
	eventually(t, "a new connection is admitted", func() bool {
		conn := g.connect(t)
		if _, err := conn.Write(hello); err != nil {
			return false
		}
		n, err := conn.Read(make([]byte, 1))
		return n == 1 && err == nil
	})
}

func TestAConnectionWithoutAHelloCountsForItsSource(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.MaxConnectionsPerSource = 1 })
	g.connect(t)
	assertClosed(t, g.connect(t))
	if got := g.decided(t, ingress.ResultSourceLimit); got != 1 {
		t.Errorf("source limits counted: %v, want 1", got)
	}
}

func TestTheGatewayIsFullAtItsTotal(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.MaxConnections = 1 })
	g.rawTenant(t, acmeHost, "acme")
	hello := hellotest.For(t, acmeHost)
	_ = g.open(t, hello).Close()
	eventually(t, "the first has left", func() bool { return g.metric(t, "active_connections", "acme") == 0 })
	g.openWhenAdmitted(t, hello)
	before := g.decided(t, ingress.ResultTotalLimit)
	assertClosed(t, g.connect(t))
	if got := g.decided(t, ingress.ResultTotalLimit) - before; got != 1 {
		t.Errorf("total limits counted: %v, want 1", got)
	}
}

func TestATenantsCrowdLeavesRoomForTheOthers(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.MaxConnectionsPerTenant = 1 })
	g.rawTenant(t, acmeHost, "acme")
	g.rawTenant(t, initHost, "initech")
	g.open(t, hellotest.For(t, acmeHost))
	if diff := cmp.Diff(internalError, assertClosed(t, g.send(t, hellotest.For(t, acmeHost)))); diff != "" {
		t.Errorf("answer to one too many (-want +got):\n%s", diff)
	}
	if got := g.decided(t, ingress.ResultTenantLimit); got != 1 {
		t.Errorf("tenant limits counted: %v, want 1", got)
	}
	g.open(t, hellotest.For(t, initHost))
}

// exhausted is a listener in a process that has no file descriptors left, for a while.
type exhausted struct {
	accept.Listener

	failures atomic.Int32
}

func (e *exhausted) AcceptTCP() (*net.TCPConn, error) {
	if e.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return e.Listener.AcceptTCP()
}

func TestAcceptingSurvivesHavingNoFileDescriptors(t *testing.T) {
	inner, err := socket.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &exhausted{Listener: inner}
	listener.failures.Store(5)
	g := startGatewayOn(t, listener, inner.Addr().String(), nil)
	g.rawTenant(t, acmeHost, "acme")
	g.open(t, hellotest.For(t, acmeHost))
	if got := g.metric(t, "accept_errors_total"); got != 5 {
		t.Errorf("accept errors counted: %v, want 5", got)
	}
}

// TestThousandsOfIdleConnectionsStayOpen rests 2,000 connections at once and then uses every one of them.
func TestThousandsOfIdleConnectionsStayOpen(t *testing.T) {
	const count = 2000
	g := startGateway(t, nil)
	g.rawTenant(t, acmeHost, "acme")
	hello := hellotest.For(t, acmeHost)
	conns := make([]*net.TCPConn, count)
	forAll(conns, func(i int) { conns[i] = g.open(t, hello) })
	if got := g.metric(t, "active_connections", "acme"); got != count {
		t.Errorf("active connections: %v, want %d", got, count)
	}
	forAll(conns, func(i int) {
		_ = conns[i].SetDeadline(time.Now().Add(patience)) // Opening them all may have taken as long.
		assertEcho(t, conns[i], "still here")
	})
	forAll(conns, func(i int) { _ = conns[i].Close() })
	eventually(t, "all are gone", func() bool { return g.metric(t, "active_connections", "acme") == 0 })
}

// forAll works on all connections, 20 at a time.
func forAll(conns []*net.TCPConn, work func(i int)) {
	var workers sync.WaitGroup
	var next atomic.Int64
	for range 20 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(conns)); i = next.Add(1) - 1 {
				work(int(i))
			}
		})
	}
	workers.Wait()
}
