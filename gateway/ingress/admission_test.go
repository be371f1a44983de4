// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"net/netip"
	"testing"
)

func TestSourcesAreAddressesInIPv4AndNetworksInIPv6(t *testing.T) {
	tests := map[string]string{
		"192.0.2.7":            "192.0.2.7/32",
		"::ffff:192.0.2.7":     "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::":       "2001:db8:1:2::/64",
		"2001:db8:1:3::":       "2001:db8:1:3::/64",
		"fe80::1:2:3:4%eth0":   "fe80::/64",
	}
	for addr, want := range tests {
		if got := sourceOf(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("sourceOf(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestAddressesOfOneIPv6NetworkShareTheirCap(t *testing.T) {
	a := newAdmission(0, 1)
	first, second := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	if got := a.enter(sourceOf(first)); got != ResultRouted {
		t.Fatalf("first: %s", got)
	}
	if got := a.enter(sourceOf(second)); got != ResultSourceLimit {
		t.Errorf("second of the same /64: %s, want %s", got, ResultSourceLimit)
	}
	if got := a.enter(sourceOf(netip.MustParseAddr("2001:db8:0:1::1"))); got != ResultRouted {
		t.Errorf("another /64: %s, want %s", got, ResultRouted)
	}
}

func TestAdmissionKeepsNothingOfSourcesThatLeft(t *testing.T) {
	a := newAdmission(2, 2)
	source := sourceOf(netip.MustParseAddr("192.0.2.1"))
	for range 3 {
		a.enter(source)
	}
	a.exit(source)
	a.exit(source)
	if a.total != 0 || len(a.bySource) != 0 {
		t.Errorf("after all left: total %d, sources %v", a.total, a.bySource)
	}
}
