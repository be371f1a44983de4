// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/gateway/hello/hellotest"
	"github.com/chattenant/chattenant/gateway/ingress"
	"github.com/chattenant/chattenant/gateway/socket"
)

func TestLosingANameEndsItsConnections(t *testing.T) {
	g := startGateway(t, nil)
	g.rawTenant(t, acmeHost, "acme")
	g.rawTenant(t, initHost, "initech")
	acme, initech := g.open(t, hellotest.For(t, acmeHost)), g.open(t, hellotest.For(t, initHost))

	g.routes.remove(acmeHost)
	g.Recheck("acme")
	assertClosed(t, acme)
	assertEcho(t, initech, "the other tenant is left alone")
	assertClosed(t, g.send(t, hellotest.For(t, acmeHost)))
	if got := g.decided(t, ingress.ResultUnknownName); got != 1 {
		t.Errorf("unknown names counted: %v, want 1", got)
	}
}

func TestAHalfClosedConnectionEndsWithItsNameToo(t *testing.T) {
	g := startGateway(t, nil)
	finished := make(chan struct{})
	silence := make(chan struct{})
	defer close(silence)
	tenant := startTenant(t, func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn)
		close(finished)
		<-silence
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.send(t, hellotest.For(t, acmeHost))
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	<-finished
	g.routes.remove(acmeHost)
	g.Recheck("acme")
	assertClosed(t, conn)
}

func TestANameThatMovesLeadsToItsNewTenantOnly(t *testing.T) {
	g := startGateway(t, nil)
	old, fresh := startTenant(t, echo), startTenant(t, echo)
	g.serveTenant(acmeHost, "old", old.addr)
	before := g.open(t, hellotest.For(t, acmeHost))

	g.serveTenant(acmeHost, "fresh", fresh.addr)
	g.Recheck("old")
	assertClosed(t, before)
	g.open(t, hellotest.For(t, acmeHost))
	if old.seen() != 1 || fresh.seen() != 1 {
		t.Errorf("connections of old %d, of fresh %d, want 1 each", old.seen(), fresh.seen())
	}
}

func TestRecheckLeavesWhatIsStillTrue(t *testing.T) {
	g := startGateway(t, nil)
	g.rawTenant(t, acmeHost, "acme")
	conn := g.open(t, hellotest.For(t, acmeHost))
	g.Recheck("acme")
	g.Recheck("nobody")
	assertEcho(t, conn, "still here")
}

func TestATenantThatIsGoneLeavesNoMetrics(t *testing.T) {
	g := startGateway(t, nil)
	g.rawTenant(t, acmeHost, "acme")
	g.open(t, hellotest.For(t, acmeHost))
	g.routes.remove(acmeHost)
	g.Recheck("acme")
	eventually(t, "its series are gone", func() bool { return !g.exposes(t, "acme") })
}

// exposes says whether any series carries this label value.
func (g *gateway) exposes(t *testing.T, value string) bool {
	t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				if label.GetValue() == value {
					return true
				}
			}
		}
	}
	return false
}

func TestBytesAreCountedForTheirTenant(t *testing.T) {
	g := startGateway(t, nil)
	g.rawTenant(t, acmeHost, "acme")
	hello := hellotest.For(t, acmeHost)
	conn := g.open(t, hello)
	assertEcho(t, conn, "0123456789")
	_ = conn.Close()
	eventually(t, "the connection has ended", func() bool { return g.metric(t, "active_connections", "acme") == 0 })
	want := float64(len(hello) + 10)
	for _, direction := range []string{"in", "out"} {
		if got := g.metric(t, "bytes_total", direction, "acme"); got != want {
			t.Errorf("bytes %s: %v, want %v", direction, got, want)
		}
	}
	if got := g.metric(t, "handshake_read_seconds"); got != 1 {
		t.Errorf("handshakes observed: %v, want 1", got)
	}
}

func TestADrainLetsOpenConnectionsEnd(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.DrainTimeout = 2 * patience })
	g.rawTenant(t, acmeHost, "acme")
	conn := g.open(t, hellotest.For(t, acmeHost))

	g.stop()
	eventually(t, "readiness is off", func() bool { return g.Ready() != nil })
	eventually(t, "nobody is accepted", func() bool {
		late, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.addr)
		if err == nil {
			_ = late.Close()
		}
		return err != nil
	})
	assertEcho(t, conn, "unhurried")
	_ = conn.Close()
	select {
	case err := <-g.ended:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("Serve has not returned %s after the last connection ended", patience)
	}
}

// delay is a clock whose sleeps a test ends.
type delay struct {
	clock.RealClock

	begun chan time.Duration
	over  chan struct{}
}

func (d *delay) Sleep(length time.Duration) {
	d.begun <- length
	<-d.over
}

func TestADrainGoesOnAcceptingForItsDelay(t *testing.T) {
	const drain = 7 * time.Second
	listener, err := socket.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &delay{begun: make(chan time.Duration, 1), over: make(chan struct{})}
	g := startGatewayBy(t, d, listener, listener.Addr().String(), func(c *ingress.Config) { c.DrainDelay = drain })
	end := sync.OnceFunc(func() { close(d.over) })
	defer end()
	g.rawTenant(t, acmeHost, "acme")
	g.stop()
	if length := <-d.begun; length != drain || g.Ready() == nil {
		t.Errorf("the delay is %s, and readiness: %v", length, g.Ready())
	}
	g.open(t, hellotest.For(t, acmeHost))
	end()
	if err := <-g.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestADrainCutsWhatDoesNotEnd(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.DrainTimeout = 100 * time.Millisecond })
	g.rawTenant(t, acmeHost, "acme")
	routed, silent := g.open(t, hellotest.For(t, acmeHost)), g.connect(t)
	g.stop()
	assertClosed(t, routed)
	assertClosed(t, silent)
	if err := <-g.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestAServerThatDoesNotServeIsNotReady(t *testing.T) {
	var server ingress.Server
	if server.Ready() == nil {
		t.Error("ready before Serve")
	}
}
