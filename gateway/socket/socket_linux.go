// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// LimitUnacknowledged makes the kernel end a connection whose peer takes no data for so long, even one that still
// answers probes of its closed window.
func LimitUnacknowledged(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("reach socket: %w", err)
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		optErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	if err != nil {
		return fmt.Errorf("reach socket: %w", err)
	}
	if optErr != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", optErr)
	}
	return nil
}
