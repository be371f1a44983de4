// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig_test

import (
	"net/netip"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// last is the highest address of a prefix.
func last(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// within says whether another row holds the address too, or none of the public ranges does.
func within(addr netip.Addr) bool {
	public := false
	for _, prefix := range egressconfig.PublicRanges() {
		public = public || prefix.Contains(addr)
	}
	for _, row := range egressconfig.SpecialRanges() {
		public = public && !row.Prefix.Contains(addr)
	}
	return !public
}

func TestEveryRowEndsWhereItSays(t *testing.T) {
	for _, row := range egressconfig.SpecialRanges() {
		first, end := row.Prefix.Addr(), last(row.Prefix)
		if row.Prefix != row.Prefix.Masked() {
			t.Errorf("%s has bits beyond its length", row.Prefix)
		}
		if row.Use == "" {
			t.Errorf("%s does not say what it is for", row.Prefix)
		}
		for _, inside := range []netip.Addr{first, first.Next(), end.Prev(), end} {
			if row.Prefix.Contains(inside) && egressconfig.Public(inside) {
				t.Errorf("%s of %s (%s) passes for public", inside, row.Prefix, row.Use)
			}
		}
		for _, outside := range []netip.Addr{first.Prev(), end.Next()} {
			if outside.IsValid() && !within(outside) && !egressconfig.Public(outside) {
				t.Errorf("%s, beside %s, does not pass for public", outside, row.Prefix)
			}
		}
	}
}

// TestRegistriesAndFormsOfAddresses is written from the registries, not from the table.
func TestAddressesOfTheRegistriesAreNotPublic(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
		"127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0",
		"172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.31.196.1",
		"192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0",
		"198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0",
		"239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
		"::", "::1", "::ffff:0:0", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::8.8.8.8",
		"64:ff9b::10.0.0.1", "64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "100::1", "100:0:0:1::1",
		"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1",
		"2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1", "2001:db8::", "2001:db8:ffff::1",
		"2002::1", "2002:7f00:1::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "5f00::1",
		"fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff00::", "ff02::1",
		"4000::1", "1fff:ffff::1", "2a00::1%eth0",
	} {
		if egressconfig.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s passes for public", text)
		}
	}
}

func TestAddressesOfThePublicInternetArePublic(t *testing.T) {
	for _, text := range []string{
		"1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255",
		"192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255",
		"2000::1", "2001:200::1", "2001:db7::1", "2001:db9::1", "2001:4860:4860::8888", "2003::1", "2620:4f:7fff::1",
		"2620:4f:8001::1", "2a00::1", "3ffe:ffff::1", "3fff:1000::1",
	} {
		if !egressconfig.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s does not pass for public", text)
		}
	}
	if egressconfig.Public(netip.Addr{}) {
		t.Error("no address passes for public")
	}
}
