// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ingress

import (
	"net"
	"time"
)

// limitUnacknowledged needs TCP_USER_TIMEOUT, which only Linux has. Elsewhere the package serves development.
func limitUnacknowledged(*net.TCPConn, time.Duration) error { return nil }
