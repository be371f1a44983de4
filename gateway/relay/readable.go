// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// awaitReadable blocks until conn has bytes or an end of file to read, fails, or its read deadline passes. Unlike a
// Read it needs no buffer, and unlike io.Copy no kernel pipe: a connection at rest costs only its two sockets.
func awaitReadable(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("reach socket: %w", err)
	}
	var peek [1]byte
	var peekErr error
	err = raw.Read(func(fd uintptr) bool {
		_, _, peekErr = unix.Recvfrom(int(fd), peek[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(peekErr, unix.EAGAIN)
	})
	if err != nil {
		return fmt.Errorf("wait for data: %w", err)
	}
	// Peeking takes a reset off the socket: who reads next would see an orderly end of file instead.
	if peekErr != nil {
		return fmt.Errorf("peek for data: %w", peekErr)
	}
	return nil
}
