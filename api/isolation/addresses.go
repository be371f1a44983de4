// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"net/netip"
	"slices"
)

// The internet's addresses. IPv6 has handed out one eighth of its space so far; the rest is not the internet.
var (
	PublicIPv4 = netip.MustParsePrefix("0.0.0.0/0")
	PublicIPv6 = netip.MustParsePrefix("2000::/3")
)

// SpecialIPv4 are the ranges inside PublicIPv4 where no recipient can be, by IANA's register of special purposes. A
// cluster's pods, Services and nodes and a cloud's metadata service have such addresses.
var SpecialIPv4 = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by a carrier's customers; some clouds' pods and Services
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, and the metadata service
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // relays of 6to4
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// SpecialIPv6 are those inside PublicIPv6. Loopback, link-local, unique local, multicast, NAT64 and mapped addresses lie
// outside it.
var SpecialIPv6 = prefixes(
	"2001::/23",     // protocol assignments, Teredo among them, which wraps an IPv4 address
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4, which wraps an IPv4 address
	"3fff::/20",     // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public says whether an address is the internet's. An IPv4 address in IPv6 form is not: whoever has one says so by
// unmapping it. Neither is one with a zone.
func Public(address netip.Addr) bool {
	if address.Is4() {
		return !within(address, SpecialIPv4)
	}
	return PublicIPv6.Contains(address) && !within(address, SpecialIPv6)
}

func within(address netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(address) })
}
