// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"net/netip"
	"slices"
	"testing"
)

func TestWithoutRecipientsNothingLeavesATenant(t *testing.T) {
	for _, c := range (Shape{}).Connections() {
		if c.From == Egress || c.To == Egress || c.To == ClusterDNS || c.To == Internet {
			t.Errorf("%s -> %s is open: %s", c.From, c.To, c.Why)
		}
	}
}

func TestOnlyTheEgressGatewayReachesWhatIsOutside(t *testing.T) {
	shape := Shape{EgressPorts: []int32{443, 465, 443}}
	for _, c := range shape.Connections() {
		if (c.To == ClusterDNS || c.To == Internet) && c.From != Egress {
			t.Errorf("%s -> %s is open: %s", c.From, c.To, c.Why)
		}
		if c.From == None || c.To == None {
			t.Errorf("%s -> %s is open to a pod without a role", c.From, c.To)
		}
	}
	for port, want := range map[int32]bool{443: true, 465: true, 80: false} {
		if got := shape.Allows(Egress, Internet, TCP, port); got != want {
			t.Errorf("egress to port %d of the internet: %t, want %t", port, got, want)
		}
	}
}

func TestEveryConnectionIsThereOnceAndSaysWhy(t *testing.T) {
	seen := map[Connection]bool{}
	for _, c := range (Shape{EgressPorts: []int32{443, 443, 8443}}).Connections() {
		if c.Why == "" {
			t.Errorf("%s -> %s does not say why", c.From, c.To)
		}
		c.Why = ""
		if seen[c] {
			t.Errorf("%+v is there twice", c)
		}
		seen[c] = true
	}
}

func TestWhatIsOpenIsListenedOn(t *testing.T) {
	shape := Shape{EgressPorts: []int32{443}}
	for _, c := range shape.Connections() {
		if slices.Contains(shape.Roles(), c.To) && !slices.Contains(Listeners(c.To), c.Port) {
			t.Errorf("%s -> %s port %d is open, and nothing listens there", c.From, c.To, c.Port)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"193.0.14.129": true, "1.1.1.1": true, "2001:7fd::1": true, "2606:4700::1111": true, "172.15.255.255": true,
		"172.32.0.1": true, "100.63.255.255": true, "100.128.0.1": true,
		"0.0.0.0": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false,
		"192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.9": false,
		"224.0.0.1": false, "239.255.255.250": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:1.1.1.1": false, "::ffff:10.0.0.1": false, "64:ff9b::a9fe:a9fe": false,
		"64:ff9b:1::1": false, "100::1": false, "2001::1": false, "2001:db8::1": false, "2002:a9fe:a9fe::1": false,
		"3fff::1": false, "fc00::1": false, "fd00:ec2::254": false, "fe80::1": false, "fe80::1%eth0": false,
		"2606:4700::1111%eth0": false, "ff02::1": false,
	} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %t, want %t", text, got, want)
		}
	}
}

func TestSpecialRangesLieInsideThePublicOnes(t *testing.T) {
	for _, p := range SpecialIPv4 {
		if !PublicIPv4.Overlaps(p) || p.Bits() <= PublicIPv4.Bits() || p != p.Masked() {
			t.Errorf("%s is no exception from %s", p, PublicIPv4)
		}
	}
	for _, p := range SpecialIPv6 {
		if !PublicIPv6.Overlaps(p) || p.Bits() <= PublicIPv6.Bits() || p != p.Masked() {
			t.Errorf("%s is no exception from %s", p, PublicIPv6)
		}
	}
}
