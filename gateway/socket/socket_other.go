// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package socket

import "net"

// LimitUnacknowledged needs TCP_USER_TIMEOUT, which only Linux has. Elsewhere the package serves development.
func LimitUnacknowledged(*net.TCPConn) error { return nil }
