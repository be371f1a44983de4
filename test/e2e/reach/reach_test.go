// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

const patience = 500 * time.Millisecond

func TestAnOpenPortIsToldFromAClosedOne(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Network: "tcp", Address: netip.MustParseAddrPort(listener.Addr().String())}
	want(t, target, Open)
	_ = listener.Close()
	want(t, target, Refused)
}

func TestADatagramCountsOnlyWhenItIsAnswered(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Network: "udp", Address: netip.MustParseAddrPort(conn.LocalAddr().String())}
	want(t, target, Silent)
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(buffer[:n], from)
		}
	}()
	want(t, target, Open)
	_ = conn.Close()
	want(t, target, Refused)
}

func TestAnAttemptThatCouldNotBeMadeIsNoClosedDoor(t *testing.T) {
	broken := func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EMFILE }
	got, err := Try(t.Context(), broken, Target{Network: "tcp"}, patience)
	if !errors.Is(err, syscall.EMFILE) || got != "" {
		t.Errorf("want %v, got %q, %v", syscall.EMFILE, got, err)
	}
}

func want(t *testing.T, target Target, verdict Verdict) {
	t.Helper()
	got, err := Try(t.Context(), (&net.Dialer{}).DialContext, target, patience)
	if err != nil || got != verdict {
		t.Errorf("%s: want %s, got %q, %v", target.Address, verdict, got, err)
	}
}
