// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig

import "net/netip"

// SpecialRange is addresses that no recipient on the public internet has.
type SpecialRange struct {
	Prefix netip.Prefix
	// Use is what the range is for.
	Use string
}

// publicIPv6 is all that IANA has ever handed out for the public internet (RFC 4291). Outside of it lie loopback,
// link-local, unique local and multicast addresses, and the IPv4-mapped, IPv4-compatible and NAT64 forms of IPv4 ones.
const publicIPv6 = "2000::/3"

// PublicRanges hold every address of the public internet, and the SpecialRanges besides. None lies outside of both
// lists' difference: see [Public].
func PublicRanges() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix(publicIPv6)}
}

// SpecialRanges are the parts of [PublicRanges] that are not public: each row of IANA's special-purpose address
// registries (RFC 6890) whatever its columns say, multicast, and the one public address that a cloud answers its
// machines' questions at. Rows within another row are left out.
func SpecialRanges() []SpecialRange {
	return append(specialIPv4(), specialIPv6()...)
}

func specialIPv4() []SpecialRange {
	return special([][2]string{
		{"0.0.0.0/8", "this network"},
		{"10.0.0.0/8", "private"},
		{"100.64.0.0/10", "shared by carriers (CGNAT)"},
		{"127.0.0.0/8", "loopback"},
		{"168.63.129.16/32", "Azure's own services, seen from its machines"},
		{"169.254.0.0/16", "link-local, clouds' metadata"},
		{"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "protocol assignments"},
		{"192.0.2.0/24", "documentation"},
		{"192.31.196.0/24", "AS112"},
		{"192.52.193.0/24", "multicast tunnels (AMT)"},
		{"192.88.99.0/24", "6to4 relays"},
		{"192.168.0.0/16", "private"},
		{"192.175.48.0/24", "AS112"},
		{"198.18.0.0/15", "benchmarking"},
		{"198.51.100.0/24", "documentation"},
		{"203.0.113.0/24", "documentation"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved, broadcast"},
	})
}

func specialIPv6() []SpecialRange {
	return special([][2]string{
		{"2001::/23", "protocol assignments: Teredo, benchmarking, ORCHID"},
		{"2001:db8::/32", "documentation"},
		{"2002::/16", "6to4: an IPv4 address within"},
		{"2620:4f:8000::/48", "AS112"},
		{"3fff::/20", "documentation"},
	})
}

func special(rows [][2]string) []SpecialRange {
	ranges := make([]SpecialRange, 0, len(rows))
	for _, row := range rows {
		ranges = append(ranges, SpecialRange{Prefix: netip.MustParsePrefix(row[0]), Use: row[1]})
	}
	return ranges
}

// Public says whether an address may be a recipient's. There is no exception to it.
func Public(addr netip.Addr) bool {
	within := false
	for _, public := range PublicRanges() {
		within = within || public.Contains(addr)
	}
	for _, special := range SpecialRanges() {
		within = within && !special.Prefix.Contains(addr)
	}
	return within && addr.Zone() == ""
}
