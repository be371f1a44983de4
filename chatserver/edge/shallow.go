// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/pires/go-proxyproto"
)

// bufferSize is that of buffers that a connection has only while it reads or writes: a TLS record's worth.
const bufferSize = 16 << 10

// buffers are shared by all connections.
var buffers = sync.Pool{New: func() any {
	buffer := make([]byte, bufferSize)
	return &buffer
}}

// nothingYetError is answered instead of waiting. It is temporary, so crypto/tls keeps what it has of a record and goes
// on with the next Read.
type nothingYetError struct{}

var errNothingYet net.Error = nothingYetError{}

func (nothingYetError) Error() string   { return "nothing has arrived yet" }
func (nothingYetError) Timeout() bool   { return false }
func (nothingYetError) Temporary() bool { return true }

// shallow is a connection whose reader does not have to wait inside of what decrypts: the stack that this takes would
// stay as large for as long as the client is silent, which is most of the time. Reading is for one goroutine.
type shallow struct {
	net.Conn
	// raw is nil unless the connection is the kernel's.
	raw syscall.RawConn
	// attempt is fill; it is made once.
	attempt func(fd uintptr) bool
	// on is set once Read does not wait.
	on bool
	// buffer holds what wait has read, of which rest is still to be handed out; nil if there is nothing.
	buffer *[]byte
	rest   []byte
	err    error
}

// begin makes Read answer errNothingYet from now on instead of waiting; wait waits. It reports whether that can be
// done.
func (s *shallow) begin() bool {
	kernel, ok := s.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := kernel.SyscallConn()
	if err != nil {
		return false
	}
	s.raw, s.attempt, s.on = raw, s.fill, true
	return true
}

// Read implements net.Conn.
func (s *shallow) Read(data []byte) (int, error) {
	switch {
	case !s.on:
		return s.Conn.Read(data)
	case s.buffer != nil:
		return s.take(data), nil
	case s.err != nil:
		return 0, s.err
	}
	return 0, errNothingYet
}

func (s *shallow) take(data []byte) int {
	n := copy(data, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		buffers.Put(s.buffer)
		s.buffer, s.rest = nil, nil
	}
	return n
}

// wait returns when Read has something, or with the error of a deadline or of a connection that was closed.
func (s *shallow) wait() error {
	if err := s.raw.Read(s.attempt); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}

// fill reads if there is something. The poller must be asked to tell of news before this is found out, as wait does: it
// tells only once.
func (s *shallow) fill(fd uintptr) bool {
	buffer, _ := buffers.Get().(*[]byte)
	n, err := syscall.Read(int(fd), *buffer)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), *buffer)
	}
	if n > 0 {
		s.buffer, s.rest = buffer, (*buffer)[:n]
		return true
	}
	buffers.Put(buffer)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err == nil:
		s.err = io.EOF
	default:
		s.err = fmt.Errorf("read: %w", err)
	}
	return true
}

// newcomerOf finds what a secured connection reads from.
func newcomerOf(conn net.Conn) *newcomer {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	proxied, ok := secured.NetConn().(*proxyproto.Conn)
	if !ok {
		return nil
	}
	limited, ok := proxied.Raw().(*limitedConn)
	if !ok {
		return nil
	}
	return &limited.newcomer
}
