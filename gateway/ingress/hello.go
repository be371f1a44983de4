// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
)

var (
	errHelloSeen     = errors.New("ClientHello parsed")
	errHelloTooLarge = errors.New("ClientHello too large")
)

// hello is what a client said first.
type hello struct {
	// serverName is as sent: neither folded nor checked, empty when absent.
	serverName string
	// raw holds every byte taken off the connection. It may go past the ClientHello and must all be sent on.
	raw []byte
}

// readHello reads one ClientHello, however it is cut into segments and records. The standard library parses it, which
// is also what the chat server behind reads it with: two parsers could be made to see two names. It returns when the
// message is complete, at the connection's read deadline, or after maxBytes; when ctx ends it closes the connection.
func readHello(ctx context.Context, conn net.Conn, maxBytes int) (hello, Result) {
	recorder := &recorder{Conn: conn, room: maxBytes}
	var name string
	err := tls.Server(recorder, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			name = info.ServerName
			return nil, errHelloSeen
		},
	}).HandshakeContext(ctx)
	if errors.Is(err, errHelloSeen) {
		return hello{serverName: name, raw: recorder.read}, ResultRouted
	}
	return hello{}, recorder.failure()
}

// recorder keeps what is read and swallows what the parser would answer: the handshake belongs to the tenant.
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
		r.err = errHelloTooLarge
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
func (r *recorder) failure() Result {
	switch {
	case r.err == nil, errors.Is(r.err, errHelloTooLarge):
		return ResultNotTLS
	case errors.Is(r.err, os.ErrDeadlineExceeded):
		return ResultHandshakeTimeout
	default:
		return ResultClientGone
	}
}
