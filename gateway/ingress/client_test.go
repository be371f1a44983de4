// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// connect opens a TCP connection to the gateway. Every read and write of the test on it is bounded.
func (g *gateway) connect(tb testing.TB) *net.TCPConn {
	tb.Helper()
	conn := dialTCP(tb, g.addr)
	tb.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return conn
}

func dialTCP(tb testing.TB, addr string) *net.TCPConn {
	tb.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	return asTCP(tb, conn)
}

func listenTCP(tb testing.TB) net.Listener {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

// asTCP is a type assertion that fails its test.
func asTCP(tb testing.TB, conn net.Conn) *net.TCPConn {
	tb.Helper()
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		tb.Fatalf("got a %T, want a TCP connection", conn)
	}
	return tcp
}

// handshake speaks TLS with the tenant behind the gateway and verifies its certificate for name.
func (g *gateway) handshake(tb testing.TB, tenant *tenantServer, config *tls.Config) *tls.Conn {
	tb.Helper()
	config.RootCAs = tenant.roots
	conn := tls.Client(g.connect(tb), config)
	if err := conn.HandshakeContext(tb.Context()); err != nil {
		tb.Fatalf("Handshake: %v", err)
	}
	return conn
}

// send writes raw bytes to the gateway on a connection of its own. One that refuses them may not take all: what counts
// is what it answers.
func (g *gateway) send(tb testing.TB, data []byte) *net.TCPConn {
	tb.Helper()
	conn := g.connect(tb)
	_, _ = conn.Write(data)
	return conn
}

func assertEcho(tb testing.TB, conn io.ReadWriter, text string) {
	tb.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		tb.Fatalf("write: %v", err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		tb.Fatalf("read echo: %v", err)
	}
	if diff := cmp.Diff(text, string(got)); diff != "" {
		tb.Fatalf("echo (-want +got):\n%s", diff)
	}
}

// assertClosed reads conn to its end, which must come, and returns what came before.
func assertClosed(tb testing.TB, conn io.Reader) []byte {
	tb.Helper()
	var got bytes.Buffer
	if _, err := io.Copy(&got, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		tb.Fatal("the gateway left the connection open")
	}
	return got.Bytes()
}
