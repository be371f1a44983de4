// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package loopback_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/chattenant/chattenant/test/loopback"
)

func TestAKeptAddressRefusesUntilSomebodyListensAndAgainAfterwards(t *testing.T) {
	address := loopback.Address(t)
	for range 3 {
		refuses(t, address)
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		// The listener's side closes first, and leaves the port in the state that forbids those who do not allow reuse.
		accepted, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = accepted.Close(), conn.Close(), listener.Close()
	}
	refuses(t, address)
}

func refuses(t *testing.T, address string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s: %v", address, err)
	}
}

// TestAKeptPortIsGivenToNobody takes so many ports that some of the kept would be among them, were they free.
func TestAKeptPortIsGivenToNobody(t *testing.T) {
	const takings = 5_000
	kept := map[string]bool{}
	for range 200 {
		kept[loopback.Address(t)] = true
	}
	for range takings {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		taken := listener.Addr().String()
		_ = listener.Close()
		if kept[taken] {
			t.Fatalf("%s is kept and was given away", taken)
		}
	}
}
