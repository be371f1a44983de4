// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package loopback

import (
	"errors"
	"net"
	"os"
)

var errFamily = errors.New("bound to another family")

// keep only finds a port that was free a moment ago: what Linux allows beside a bound socket, others do not.
func keep() (int, *os.File, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Ends at once.
	if err != nil {
		return 0, nil, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, nil, errors.Join(errFamily, listener.Close())
	}
	return address.Port, nil, listener.Close()
}
