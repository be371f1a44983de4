// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package loopback keeps TCP ports for tests that must know an address before anybody listens there, or while nobody
// does. A port that was found free and let go again is any other process's to take.
package loopback

import (
	"os"
	"strconv"
	"testing"
)

// Address is an address of 127.0.0.1 on which nobody listens, the test's own until it ends: the machine gives its port
// to nobody who takes any, connections are refused, and whoever is told of it may listen there, again and again.
func Address(tb testing.TB) string {
	tb.Helper()
	port, keeper := Keep(tb)
	tb.Cleanup(func() { _ = keeper.Close() })
	return "127.0.0.1:" + strconv.Itoa(port)
}

// Keep keeps a port until the caller closes the file, for what outlives a test.
func Keep(tb testing.TB) (port int, keeper *os.File) {
	tb.Helper()
	port, keeper, err := keep()
	if err != nil {
		tb.Fatalf("keep a port: %v", err)
	}
	return port, keeper
}
