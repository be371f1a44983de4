// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
)

// chatServerTLS is how a tenant's chat server speaks to its gateway.
func (g *gateway) chatServerTLS(tb testing.TB) *tls.Config {
	tb.Helper()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: g.ca.roots(), ServerName: gateHost, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{g.ca.client(tb, naming.EgressClientName)},
	}
}

func (g *gateway) tcp(tb testing.TB) net.Conn {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", g.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	// A test may wait for more than one thing on it.
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// client is a connection of the chat server to its gateway.
type client struct {
	*tls.Conn

	reader *bufio.Reader
}

// Read implements io.Reader.
func (c *client) Read(p []byte) (int, error) { return c.reader.Read(p) }

func (g *gateway) client(tb testing.TB) *client {
	tb.Helper()
	conn := tls.Client(g.tcp(tb), g.chatServerTLS(tb))
	if err := conn.HandshakeContext(tb.Context()); err != nil {
		tb.Fatalf("handshake with the gateway: %v", err)
	}
	return &client{Conn: conn, reader: bufio.NewReader(conn)}
}

// send says something, of which a gateway that refuses may not take the whole: what counts is what it answers.
func (c *client) send(text string) { _, _ = io.WriteString(c.Conn, text) }

// verdict is the gateway's answer to a CONNECT.
type verdict struct {
	StatusCode int
	Reason     egressconfig.Reason
}

// response reads the gateway's answer, to the end if it is a refusal.
func (c *client) response(tb testing.TB) verdict {
	tb.Helper()
	response, err := http.ReadResponse(c.reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		tb.Fatalf("read response: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, response.Body)
	}
	return verdict{response.StatusCode, egressconfig.Reason(response.Header.Get(egressconfig.DeniedHeader))}
}

// ask sends a raw request and returns the connection and the answer.
func (g *gateway) ask(tb testing.TB, request string) (*client, verdict) {
	tb.Helper()
	c := g.client(tb)
	c.send(request)
	return c, c.response(tb)
}

func connectTo(target string) string {
	return "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n"
}

// establish connects to a target and fails unless that is allowed.
func (g *gateway) establish(tb testing.TB, target string) *client {
	tb.Helper()
	c, response := g.ask(tb, connectTo(target))
	if response.StatusCode != http.StatusOK {
		tb.Fatalf("CONNECT %s: %+v", target, response)
	}
	return c
}

// reach opens TLS with the recipient through the gateway.
func (g *gateway) reach(tb testing.TB, host, target string) *tls.Conn {
	tb.Helper()
	conn := tls.Client(g.establish(tb, target), &tls.Config{ServerName: host, RootCAs: g.outsideCA.roots()})
	if err := conn.HandshakeContext(tb.Context()); err != nil {
		tb.Fatalf("handshake with %s: %v", host, err)
	}
	return conn
}

// assertDenied reads the refusal, and that nothing comes after it.
func assertDenied(tb testing.TB, c *client, response verdict, status int, reason egressconfig.Reason) {
	tb.Helper()
	if want := (verdict{status, reason}); response != want {
		tb.Errorf("answered %+v, want %+v", response, want)
	}
	if rest := assertClosed(tb, c); len(rest) > 0 {
		tb.Errorf("more after the refusal: %q", rest)
	}
	_ = c.Close() // else the gateway waits for it a moment
}

// assertAlert reads the alert that tells a reason, and that nothing comes after it.
func assertAlert(tb testing.TB, c *client, reason egressconfig.Reason) {
	tb.Helper()
	want := []byte{21, 3, 3, 0, 2, 2, reason.Alert()}
	if diff := cmp.Diff(want, assertClosed(tb, c)); diff != "" {
		tb.Errorf("want the alert of %s (-want +got):\n%s", reason, diff)
	}
	_ = c.Close()
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
	if string(got) != text {
		tb.Fatalf("echo is %q, want %q", got, text)
	}
}

// assertClosed reads to the end, which must come, and returns what came before.
func assertClosed(tb testing.TB, conn io.Reader) []byte {
	tb.Helper()
	var got bytes.Buffer
	if _, err := io.Copy(&got, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		tb.Fatal("the gateway left the connection open")
	}
	return got.Bytes()
}
