// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package topology_test

import (
	"net/netip"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

func TestTheOutsideIsPublicButForItsLastServer(t *testing.T) {
	outside, special := netip.MustParsePrefix(topology.OutsideCIDR), netip.MustParsePrefix(topology.SpecialCIDR)
	if outside.Addr().IsPrivate() || outside.Overlaps(special) {
		t.Errorf("%s is not of the public internet", outside)
	}
	servers := topology.OutsideServers()
	for i, server := range servers {
		addr := netip.MustParseAddr(server.Address)
		if last := i == len(servers)-1; outside.Contains(addr) == last || special.Contains(addr) != last {
			t.Errorf("%s has %s", server.Name, addr)
		}
	}
	for _, infrastructure := range []string{topology.OutsideDNS, topology.OutsideNames, topology.OutsideGateway} {
		if !outside.Contains(netip.MustParseAddr(infrastructure)) {
			t.Errorf("%s is not in %s", infrastructure, outside)
		}
	}
}

func TestEveryAddressOfTheOutsideIsItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, address := range topology.OutsideAddresses() {
		if seen[address] {
			t.Errorf("%s is there twice", address)
		}
		seen[address] = true
	}
}
