// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/test/loopback"
)

// quick gives up soon what is not as it must be. Its attempts, which end at once on loopback, have as long as a machine
// with much else to do may take.
var quick = Timing{Attempt: 30 * time.Second, Patience: 600 * time.Millisecond, Pause: 20 * time.Millisecond}

func listen(t *testing.T) (address netip.AddrPort, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return netip.MustParseAddrPort(listener.Addr().String()), func() { _ = listener.Close() }
}

// closed is an address nobody listens on.
func closed(t *testing.T) netip.AddrPort {
	t.Helper()
	return netip.MustParseAddrPort(loopback.Address(t))
}

// between does something in the pause after the first attempt.
type between struct {
	clock.RealClock
	act func()
}

func (b between) After(d time.Duration) <-chan time.Time {
	b.act()
	return b.RealClock.After(d)
}

func carryOut(t *testing.T, targets ...isolation.Target) isolation.Verdict {
	t.Helper()
	return carryOutBy(t, clock.RealClock{}, quick, targets...)
}

func carryOutBy(t *testing.T, c clock.Clock, timing Timing, targets ...isolation.Target) isolation.Verdict {
	t.Helper()
	plan := isolation.Plan{Version: isolation.Version, Role: isolation.ChatServer, Targets: targets}
	data, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	v := Run(t.Context(), plan, isolation.Digest(data), timing, c)
	message, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := isolation.DecodeVerdict(string(message), plan, isolation.Digest(data))
	if err != nil {
		t.Fatalf("the operator does not believe %s: %v", message, err)
	}
	return read
}

func tcp(address netip.AddrPort, want isolation.Want) isolation.Target {
	return isolation.Target{Network: isolation.NetworkTCP, Address: address, Want: want}
}

func TestAVerdictCountsAndNamesWhatIsOtherwise(t *testing.T) {
	open, _ := listen(t)
	shut := closed(t)
	got := carryOut(t,
		tcp(shut, isolation.WantClosed), tcp(open, isolation.WantOpen),
		tcp(open, isolation.WantClosed), tcp(shut, isolation.WantOpen),
		tcp(open, isolation.WantClosedUnseen), tcp(shut, isolation.WantClosedUnseen))
	got.Plan = ""
	want := isolation.Verdict{Version: isolation.Version, Tried: 6, Refused: 3, Open: 3, Otherwise: []int{2, 3, 4}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// patient is for what becomes as it must be: it does not take that long.
var patient = Timing{Attempt: 30 * time.Second, Patience: 30 * time.Second, Pause: time.Millisecond}

func TestWhatClosesAMomentLaterIsCountedAsLateAndNoHole(t *testing.T) {
	address, stop := listen(t)
	got := carryOutBy(t, between{act: stop}, patient, tcp(address, isolation.WantClosed))
	if got.Late != 1 || got.Refused != 1 || len(got.Otherwise) != 0 {
		t.Errorf("verdict = %+v, want one late refusal", got)
	}
}

func TestWhatOpensAMomentLaterIsOpen(t *testing.T) {
	address := closed(t)
	open := sync.OnceFunc(func() {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address.String())
		if err != nil {
			t.Errorf("listen: %v", err)
			return
		}
		t.Cleanup(func() { _ = listener.Close() })
	})
	got := carryOutBy(t, between{act: open}, patient, tcp(address, isolation.WantOpen))
	if got.Open != 1 || len(got.Otherwise) != 0 {
		t.Errorf("verdict = %+v, want it open", got)
	}
}

func TestDNSIsTriedByARealQuery(t *testing.T) {
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			buffer[2] |= 0x80 // the same message, as an answer
			_, _ = conn.WriteTo(buffer[:n], from)
		}
	}()
	address := netip.MustParseAddrPort(conn.LocalAddr().String())
	got := carryOut(t, isolation.Target{Network: isolation.NetworkDNS, Address: address, Want: isolation.WantClosed})
	if diff := cmp.Diff([]int{0}, got.Otherwise); diff != "" {
		t.Errorf("a resolver that answers is a hole (-want +got):\n%s", diff)
	}
}

// TestAFullPlanEndsInTime tries as many silent targets as a plan can hold.
func TestAFullPlanEndsInTime(t *testing.T) {
	silent := make([]isolation.Target, isolation.MaxTargets)
	for i := range silent {
		conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		address := netip.MustParseAddrPort(conn.LocalAddr().String())
		silent[i] = isolation.Target{Network: isolation.NetworkDNS, Address: address, Want: isolation.WantClosed}
	}
	timing := Timing{Attempt: 300 * time.Millisecond, Patience: 600 * time.Millisecond, Pause: 20 * time.Millisecond}
	start := time.Now()
	got := carryOutBy(t, clock.RealClock{}, timing, silent...)
	// One after the other they would take three quarters of a minute.
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%d targets took %s", len(silent), took)
	}
	if got.Refused != len(silent) {
		t.Errorf("%d of %d were refused", got.Refused, len(silent))
	}
	if longest := DefaultTiming.Attempt + DefaultTiming.Patience; longest > 5*time.Second {
		t.Errorf("a probe takes up to %s, want 5 s", longest)
	}
}
