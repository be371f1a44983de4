// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

const fuzzMaxHello = 16 << 10

// scriptedConn is a client that has said its piece: reads come from r, writes must never happen.
type scriptedConn struct {
	net.Conn

	r       io.Reader
	written int
}

func (c *scriptedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func (c *scriptedConn) Write(p []byte) (int, error) {
	c.written += len(p)
	return len(p), nil
}

// FuzzReadHello holds the reader to what the rest relies on: it takes no more than allowed, keeps every byte it took,
// answers nothing, and sees one name whether the bytes come at once or one by one.
func FuzzReadHello(f *testing.F) {
	for _, name := range []string{"chat.acme.example", "a", ""} {
		f.Add(goClientHello(f, name))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, wholeResult := fuzzRead(t, data, bytes.NewReader(data))
		slow, slowResult := fuzzRead(t, data, iotest.OneByteReader(bytes.NewReader(data)))
		if wholeResult != slowResult && len(data) <= fuzzMaxHello {
			t.Errorf("at once %s, byte by byte %s", wholeResult, slowResult)
		}
		if wholeResult == slowResult && whole.serverName != slow.serverName {
			t.Errorf("at once %q, byte by byte %q", whole.serverName, slow.serverName)
		}
	})
}

func fuzzRead(t *testing.T, data []byte, r io.Reader) (hello, Result) {
	t.Helper()
	conn := &scriptedConn{r: r}
	got, result := readHello(t.Context(), conn, fuzzMaxHello)
	if conn.written > 0 {
		t.Errorf("answered %d bytes: the handshake is the tenant's", conn.written)
	}
	if len(got.raw) > fuzzMaxHello || !bytes.HasPrefix(data, got.raw) {
		t.Errorf("kept %d bytes that are not how the client began", len(got.raw))
	}
	if result == ResultRouted && len(got.raw) == 0 {
		t.Error("a hello without bytes")
	}
	return got, result
}

var errStop = errors.New("stop")

// helloCapture keeps what a TLS client sends first.
type helloCapture struct {
	net.Conn
	bytes.Buffer
}

func (c *helloCapture) Write(p []byte) (int, error) { return c.Buffer.Write(p) }
func (c *helloCapture) Read([]byte) (int, error)    { return 0, errStop }

func goClientHello(tb testing.TB, name string) []byte {
	tb.Helper()
	var conn helloCapture
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true} //nolint:gosec // there is no server to verify
	if err := tls.Client(&conn, config).HandshakeContext(tb.Context()); !errors.Is(err, errStop) {
		tb.Fatal(err)
	}
	return conn.Bytes()
}
