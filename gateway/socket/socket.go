// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package socket sets how long a gateway waits for peers that vanish, and opens its listener.
package socket

import (
	"context"
	"fmt"
	"net"
	"time"
)

// A peer that vanished is noticed after keepAliveIdle + keepAliveCount * keepAliveInterval, whether the connection
// rests (keep-alive probes), has data in flight, or is stuck behind a window that never opens (TCP_USER_TIMEOUT).
const (
	keepAliveIdle     = time.Minute
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4
	userTimeout       = keepAliveIdle + keepAliveCount*keepAliveInterval
)

// KeepAlive is for dialers and listeners.
func KeepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{
		Enable:   true,
		Idle:     keepAliveIdle,
		Interval: keepAliveInterval,
		Count:    keepAliveCount,
	}
}

// Listen opens a gateway's TCP listener.
func Listen(ctx context.Context, address string) (*net.TCPListener, error) {
	config := net.ListenConfig{KeepAliveConfig: KeepAlive()}
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for clients: %w", err)
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("listen for clients: %s gives a %T", address, listener)
	}
	return tcp, nil
}
