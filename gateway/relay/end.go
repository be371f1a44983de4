// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// End is one side of a relay: [TCP] or [TLS].
type End interface {
	Close() error
	CloseWrite() error
	SetReadDeadline(time.Time) error

	// awaitReadable blocks until there are bytes or an end of file to read, an error, or the read deadline.
	awaitReadable() error
	// stream is what bytes are copied from and to.
	stream() io.ReadWriter
}

type tcpEnd struct{ *net.TCPConn }

// TCP passes on the bytes of a connection.
func TCP(conn *net.TCPConn) End { return tcpEnd{conn} }

func (e tcpEnd) awaitReadable() error  { return awaitReadable(e.TCPConn) }
func (e tcpEnd) stream() io.ReadWriter { return e.TCPConn }

type tlsEnd struct {
	*tls.Conn

	reader *bufio.Reader
}

// TLS passes on what a TLS connection carries. Reader reads from it, and may hold bytes that were read already.
func TLS(conn *tls.Conn, reader *bufio.Reader) End { return tlsEnd{conn, reader} }

func (e tlsEnd) awaitReadable() error {
	_, err := e.reader.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (e tlsEnd) stream() io.ReadWriter {
	return struct {
		io.Reader
		io.Writer
	}{e.reader, e.Conn}
}

// Close ends the connection at once: a goodbye would wait for a peer that reads nothing.
func (e tlsEnd) Close() error { return e.NetConn().Close() }
