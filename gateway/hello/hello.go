// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package hello reads the ClientHello that opens a TLS connection without taking part in the handshake.
package hello

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
)

// Why there is no ClientHello.
var (
	// ErrNotTLS means that the first bytes are no acceptable ClientHello, or one that is too large.
	ErrNotTLS = errors.New("no acceptable ClientHello")
	// ErrTimeout means that the ClientHello was not complete at the connection's read deadline.
	ErrTimeout = errors.New("ClientHello not complete in time")
	// ErrGone means that the connection ended before the ClientHello was complete.
	ErrGone = errors.New("connection ended before its ClientHello")
)

var (
	errSeen     = errors.New("ClientHello parsed")
	errTooLarge = errors.New("ClientHello too large")
)

// Hello is what a client said first.
type Hello struct {
	// ServerName is as sent: neither folded nor checked, empty when absent.
	ServerName string
	// Encrypted means that there is an encrypted ClientHello (ECH, or a draft of it), whose server name may be another.
	Encrypted bool
	// Raw holds every byte taken off the connection. It may go past the ClientHello and must all be sent on.
	Raw []byte
}

// Read reads one ClientHello, however it is cut into segments and records. The standard library parses it, which is
// also what the chat server reads it with: two parsers could be made to see two names. It returns when the message is
// complete, at the connection's read deadline, or after maxBytes; when ctx ends it closes the connection.
func Read(ctx context.Context, conn net.Conn, maxBytes int) (Hello, error) {
	recorder := &recorder{Conn: conn, room: maxBytes}
	var seen Hello
	err := tls.Server(recorder, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			seen.ServerName = info.ServerName
			seen.Encrypted = slices.ContainsFunc(info.Extensions, hidesName)
			return nil, errSeen
		},
	}).HandshakeContext(ctx)
	if errors.Is(err, errSeen) {
		seen.Raw = recorder.read
		return seen, nil
	}
	return Hello{}, recorder.failure()
}

// hidesName knows encrypted_client_hello (RFC 9849) and the numbers that its drafts used.
func hidesName(extension uint16) bool {
	const (
		firstDraft = 0xfe08
		final      = 0xfe0d
		esni       = 0xffce
	)
	return firstDraft <= extension && extension <= final || extension == esni
}

// recorder keeps what is read and swallows what the parser would answer: the handshake belongs to somebody else.
type recorder struct {
	net.Conn

	read []byte
	room int
	err  error
}

// Read implements io.Reader.
func (r *recorder) Read(p []byte) (int, error) {
	if len(p) > r.room {
		p = p[:r.room]
	}
	if len(p) == 0 {
		r.err = errTooLarge
		return 0, r.err
	}
	n, err := r.Conn.Read(p)
	r.read = append(r.read, p[:n]...)
	r.room -= n
	r.err = err
	return n, err
}

// Write implements io.Writer.
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }

// failure tells why parsing ended early: the connection's own error, or bytes that are no ClientHello.
func (r *recorder) failure() error {
	switch {
	case r.err == nil, errors.Is(r.err, errTooLarge):
		return ErrNotTLS
	case errors.Is(r.err, os.ErrDeadlineExceeded):
		return ErrTimeout
	default:
		return ErrGone
	}
}

// AlertRecord is a plaintext TLS record that holds one fatal alert, to turn a TLS client away with.
func AlertRecord(description byte) []byte {
	const (
		recordTypeAlert = 21
		levelFatal      = 2
	)
	return []byte{recordTypeAlert, 3, 3, 0, 2, levelFatal, description}
}
