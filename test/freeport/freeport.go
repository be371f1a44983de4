// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package freeport finds ports for servers that are told a number before they listen, and that may stop and listen
// there again. A port that the kernel picked would be anybody's as soon as it is closed: the kernel gives it to the
// next test that asks for any port, in whichever process.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The ports are below those that the kernel picks by itself, and below those of Kubernetes' Services.
const (
	lowest = 20_000
	beyond = 30_000
)

// claims keeps, for as long as the process lives, what tells other processes that a port is taken.
var claims struct {
	sync.Mutex
	open []net.PacketConn
}

// Reserve returns a TCP port of 127.0.0.1 on which nothing listens. Until this process ends nobody else is given it
// here, in this process or another.
func Reserve(tb testing.TB) int {
	tb.Helper()
	const ports = beyond - lowest
	first := rand.IntN(ports) //nolint:gosec // Keeps processes apart, hides nothing.
	for i := range ports {
		if port := lowest + (first+i)%ports; claim(tb.Context(), port) {
			return port
		}
	}
	tb.Fatalf("no port is free between %d and %d", lowest, beyond)
	return 0
}

// claim takes the UDP port of the same number, which no server of a test listens on: only one process at a time can
// have it, and the kernel takes it back however that ends.
func claim(ctx context.Context, port int) bool {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	config := new(net.ListenConfig)
	taken, err := config.ListenPacket(ctx, "udp", address)
	if err != nil {
		return false
	}
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		_ = taken.Close()
		return false
	}
	_ = listener.Close()
	claims.Lock()
	defer claims.Unlock()
	claims.open = append(claims.open, taken)
	return true
}
