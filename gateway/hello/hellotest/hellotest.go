// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package hellotest makes ClientHellos for tests, those that no proper client would send among them.
package hellotest

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"testing"
)

var errCaptured = errors.New("captured")

// captureConn keeps a client's first flight and lets nothing out.
type captureConn struct {
	net.Conn

	sent bytes.Buffer
}

func (c *captureConn) Write(p []byte) (int, error) { return c.sent.Write(p) }
func (c *captureConn) Read([]byte) (int, error)    { return 0, errCaptured }

// From is what Go's TLS client sends first, in one record.
func From(tb testing.TB, config *tls.Config) []byte {
	tb.Helper()
	var conn captureConn
	if err := tls.Client(&conn, config).HandshakeContext(tb.Context()); !errors.Is(err, errCaptured) {
		tb.Fatalf("Handshake: %v", err)
	}
	return conn.sent.Bytes()
}

// For names a host exactly as given, even where Go's client would not: the name is swapped in afterwards.
func For(tb testing.TB, name string) []byte {
	tb.Helper()
	placeholder := bytes.Repeat([]byte("x"), len(name))
	hello := From(tb, &tls.Config{ServerName: string(placeholder)})
	if bytes.Count(hello, placeholder) != 1 {
		tb.Fatalf("cannot place the name %q", name)
	}
	return bytes.Replace(hello, placeholder, []byte(name), 1)
}

// WithoutName has no server_name extension.
func WithoutName(tb testing.TB) []byte {
	tb.Helper()
	return From(tb, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // there is no server to verify
}

const (
	recordHeader    = 5 // type, version, length
	handshakeHeader = 4 // type, length
)

// WithExtension adds an extension at the end of a ClientHello that lies in one record.
func WithExtension(tb testing.TB, hello []byte, id uint16, body []byte) []byte {
	tb.Helper()
	at := extensionsAt(tb, hello)
	extension := binary.BigEndian.AppendUint16(nil, id)
	extension = binary.BigEndian.AppendUint16(extension, uint16(len(body)&0xffff))
	extension = append(extension, body...)
	grown := append(bytes.Clone(hello), extension...)
	addUint16(grown[3:], len(extension))              // record
	addUint16(grown[recordHeader+2:], len(extension)) // handshake message, low 16 bits of its length
	addUint16(grown[at:], len(extension))             // extensions
	return grown
}

// extensionsAt finds the length of the extensions: they come after version, random, session, suites and compression.
func extensionsAt(tb testing.TB, hello []byte) int {
	tb.Helper()
	at := recordHeader + handshakeHeader + 2 + 32
	at += 1 + int(hello[at])
	at += 2 + int(binary.BigEndian.Uint16(hello[at:]))
	at += 1 + int(hello[at])
	if rest := len(hello) - at - 2; rest != int(binary.BigEndian.Uint16(hello[at:])) {
		tb.Fatalf("extensions of %d bytes, but %d left", binary.BigEndian.Uint16(hello[at:]), rest)
	}
	return at
}

func addUint16(b []byte, n int) {
	binary.BigEndian.PutUint16(b, binary.BigEndian.Uint16(b)+uint16(n&0xffff))
}

// InRecordsOf cuts a one-record handshake flight into records of at most size bytes.
func InRecordsOf(size int, flight []byte) []byte {
	header, message := flight[:3], flight[recordHeader:]
	var out []byte
	for len(message) > 0 {
		n := min(size, len(message))
		out = append(out, header...)
		out = binary.BigEndian.AppendUint16(out, uint16(n&0xffff))
		out = append(out, message[:n]...)
		message = message[n:]
	}
	return out
}

// OuterECH is an encrypted ClientHello extension as a browser sends it, with a key nobody here has.
func OuterECH() []byte {
	body := []byte{0, 0, 1, 0, 1, 7} // outer, HKDF-SHA256, AES-128-GCM, config 7
	body = append(binary.BigEndian.AppendUint16(body, 32), bytes.Repeat([]byte{9}, 32)...)
	return append(binary.BigEndian.AppendUint16(body, 208), bytes.Repeat([]byte{5}, 208)...)
}
