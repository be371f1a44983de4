// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"net/netip"
	"sync"
)

// sourceIPv6Bits is what one customer line usually gets: counting single IPv6 addresses would cap nobody.
const sourceIPv6Bits = 64

// admission counts connections before anything is read from them.
type admission struct {
	maxTotal     int
	maxPerSource int

	mu       sync.Mutex
	total    int
	bySource map[netip.Prefix]int
}

func newAdmission(maxTotal, maxPerSource int) *admission {
	return &admission{maxTotal: maxTotal, maxPerSource: maxPerSource, bySource: map[netip.Prefix]int{}}
}

// enter takes a place for a connection of this source. Anything but ResultRouted is a refusal that took none.
func (a *admission) enter(source netip.Prefix) Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.maxTotal > 0 && a.total >= a.maxTotal {
		return ResultTotalLimit
	}
	if a.maxPerSource > 0 && a.bySource[source] >= a.maxPerSource {
		return ResultSourceLimit
	}
	a.total++
	a.bySource[source]++
	return ResultRouted
}

// exit gives back the place that enter took.
func (a *admission) exit(source netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.bySource[source]--; a.bySource[source] == 0 {
		delete(a.bySource, source)
	}
}

// sourceOf is the unit that MaxConnectionsPerSource counts: an IPv4 address or an IPv6 /64.
func sourceOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = sourceIPv6Bits
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
