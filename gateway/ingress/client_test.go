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
func (g *gateway) connect(t testing.TB) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// handshake speaks TLS with the tenant behind the gateway and verifies its certificate for name.
func (g *gateway) handshake(t testing.TB, tenant *tenantServer, config *tls.Config) *tls.Conn {
	t.Helper()
	config.RootCAs = tenant.roots
	conn := tls.Client(g.connect(t), config)
	if err := conn.Handshake(); err != nil {
		t.Fatalf("Handshake: %v", err)
	}
	return conn
}

// send writes raw bytes to the gateway on a connection of its own.
func (g *gateway) send(t testing.TB, data []byte) *net.TCPConn {
	t.Helper()
	conn := g.connect(t)
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
	return conn
}

func assertEcho(t testing.TB, conn io.ReadWriter, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatalf("write: %v", err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("read echo: %v", err)
	}
	if diff := cmp.Diff(text, string(got)); diff != "" {
		t.Fatalf("echo (-want +got):\n%s", diff)
	}
}

// assertClosed reads conn to its end, which must come, and returns what came before.
func assertClosed(t testing.TB, conn io.Reader) []byte {
	t.Helper()
	var got bytes.Buffer
	if _, err := io.Copy(&got, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the gateway left the connection open")
	}
	return got.Bytes()
}
