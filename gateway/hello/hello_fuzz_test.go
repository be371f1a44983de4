// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package hello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/chattenant/chattenant/gateway/hello/hellotest"
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

// FuzzRead holds the reader to what the rest relies on: it takes no more than allowed, keeps every byte it took,
// answers nothing, and sees one name whether the bytes come at once or one by one.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"chat.acme.example", "a", ""} {
		config := &tls.Config{ServerName: name, InsecureSkipVerify: true} //nolint:gosec // there is no server to verify
		f.Add(hellotest.From(f, config))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, wholeErr := fuzzRead(t, data, bytes.NewReader(data))
		slow, slowErr := fuzzRead(t, data, iotest.OneByteReader(bytes.NewReader(data)))
		if !errors.Is(slowErr, wholeErr) && len(data) <= fuzzMaxHello {
			t.Errorf("at once %v, byte by byte %v", wholeErr, slowErr)
		}
		if errors.Is(slowErr, wholeErr) && (whole.ServerName != slow.ServerName || whole.Encrypted != slow.Encrypted) {
			t.Errorf("at once %q (encrypted %v), byte by byte %q (%v)",
				whole.ServerName, whole.Encrypted, slow.ServerName, slow.Encrypted)
		}
	})
}

func fuzzRead(t *testing.T, data []byte, r io.Reader) (Hello, error) {
	t.Helper()
	conn := &scriptedConn{r: r}
	got, err := Read(t.Context(), conn, fuzzMaxHello)
	if conn.written > 0 {
		t.Errorf("answered %d bytes: the handshake is not the reader's", conn.written)
	}
	if len(got.Raw) > fuzzMaxHello || !bytes.HasPrefix(data, got.Raw) {
		t.Errorf("kept %d bytes that are not how the client began", len(got.Raw))
	}
	if err == nil && len(got.Raw) == 0 {
		t.Error("a hello without bytes")
	}
	return got, err
}
