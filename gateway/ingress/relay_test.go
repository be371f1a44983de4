// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/chattenant/chattenant/gateway/hello/hellotest"
	"github.com/chattenant/chattenant/gateway/ingress"
)

const megabyte = 1 << 20

func TestALargeTransferArrivesWhole(t *testing.T) {
	g := startGateway(t, nil)
	acme := startTLSTenant(t, acmeHost)
	g.serveTenant(acmeHost, "acme", acme.addr)
	conn := g.handshake(t, acme, &tls.Config{ServerName: acmeHost})
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	sent := make(chan [sha256.Size]byte, 1)
	go func() {
		hash := sha256.New()
		_, _ = io.CopyN(io.MultiWriter(conn, hash), rand.Reader, 32*megabyte)
		_ = conn.CloseWrite()
		sent <- [sha256.Size]byte(hash.Sum(nil))
	}()
	hash := sha256.New()
	n, err := io.Copy(hash, conn)
	if err != nil || n != 32*megabyte {
		t.Fatalf("read %d bytes, %v; want %d", n, err, 32*megabyte)
	}
	if [sha256.Size]byte(hash.Sum(nil)) != <-sent {
		t.Error("the bytes that came back are not those that were sent")
	}
}

func TestTheTenantMayAnswerAfterTheClientHasFinished(t *testing.T) {
	answer := bytes.Repeat([]byte("answer "), megabyte)
	g := startGateway(t, nil)
	tenant := startTenant(t, func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn) // until the client's end of file
		time.Sleep(50 * time.Millisecond)
		_, _ = conn.Write(answer)
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.send(t, hellotest.For(t, acmeHost))
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := assertClosed(t, conn); !bytes.Equal(got, answer) {
		t.Errorf("got %d bytes, want the tenant's %d", len(got), len(answer))
	}
}

func TestTheClientMaySendAfterTheTenantHasFinished(t *testing.T) {
	g := startGateway(t, nil)
	hello := hellotest.For(t, acmeHost)
	got := make(chan []byte, 1)
	tenant := startTenant(t, func(conn net.Conn) {
		_ = rawTCP(conn).CloseWrite()
		read, _ := io.ReadAll(conn)
		got <- read
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.send(t, hello)
	assertClosed(t, conn) // the tenant's end of file
	if _, err := io.WriteString(conn, "afterthought"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if want := string(hello) + "afterthought"; string(<-got) != want {
		t.Error("what the client sent last did not arrive")
	}
}

func TestATenantThatBreaksOffEndsTheConnection(t *testing.T) {
	g := startGateway(t, nil)
	tenant := startTenant(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_ = rawTCP(conn).SetLinger(0) // closing sends a reset
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	assertClosed(t, g.send(t, hellotest.For(t, acmeHost)))
	eventually(t, "its session has ended", func() bool { return g.metric(t, "active_connections", "acme") == 0 })
}

func TestAClientThatBreaksOffEndsTheConnection(t *testing.T) {
	g := startGateway(t, nil)
	ended := make(chan struct{})
	tenant := startTenant(t, func(conn net.Conn) {
		defer close(ended)
		echo(conn)
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.open(t, hellotest.For(t, acmeHost))
	if err := conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the tenant's side stays open")
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.IdleTimeout = 100 * time.Millisecond })
	g.rawTenant(t, acmeHost, "acme")
	// A tenant that stalls may be too late with its echo, which is as good.
	assertClosed(t, g.send(t, hellotest.For(t, acmeHost)))
	if got := g.decided(t, ingress.ResultRouted); got != 1 {
		t.Errorf("routed connections counted: %v, want 1", got)
	}
}

// TestOneBusyDirectionKeepsTheOtherOpen lets only the tenant speak, for several idle time-outs.
func TestOneBusyDirectionKeepsTheOtherOpen(t *testing.T) {
	const idle, dots = 3 * time.Second, 16
	g := startGateway(t, func(c *ingress.Config) { c.IdleTimeout = idle })
	tenant := startTenant(t, func(conn net.Conn) {
		for range dots {
			if _, err := conn.Write([]byte(".")); err != nil {
				return
			}
			time.Sleep(idle / 12)
		}
		echo(conn)
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.send(t, hellotest.For(t, acmeHost))
	if _, err := io.ReadFull(conn, make([]byte, dots)); err != nil {
		t.Fatalf("cut while the tenant spoke: %v", err)
	}
}

func TestAHalfClosedConnectionMayRestLess(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.HalfClosedTimeout = 100 * time.Millisecond })
	tenant := startTenant(t, func(conn net.Conn) {
		_ = rawTCP(conn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.send(t, hellotest.For(t, acmeHost))
	assertClosed(t, conn)
	eventually(t, "the session has ended", func() bool { return g.metric(t, "active_connections", "acme") == 0 })
}

// TestASlowReaderGetsEverything reads slower than the tenant sends, over more than one burst.
func TestASlowReaderGetsEverything(t *testing.T) {
	g := startGateway(t, func(c *ingress.Config) { c.IdleTimeout = 2 * time.Second })
	sent := bytes.Repeat([]byte("0123456789abcdef"), megabyte)
	tenant := startTenant(t, func(conn net.Conn) {
		_, _ = conn.Write(sent)
		_ = rawTCP(conn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // closing with bytes unread would reset the connection
	})
	g.serveTenant(acmeHost, "acme", tenant.addr)
	conn := g.send(t, hellotest.For(t, acmeHost))
	var got bytes.Buffer
	for {
		_, err := io.CopyN(&got, conn, 2*megabyte)
		if err != nil {
			break
		}
		time.Sleep(400 * time.Millisecond)
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("got %d bytes, want %d", got.Len(), len(sent))
	}
}
