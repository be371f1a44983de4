// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// peer is one end of a connection, as policies know it: a component, and the tenant it belongs to if any.
type peer struct {
	component, tenant string
}

// Ends that are no components of the product.
const (
	// unselected is a pod in a tenant's namespace that no narrow policy selects.
	unselected = "unselected"
	// beyond is the outside.
	beyond = "outside"
)

// ends are the components that the data of package isolation speaks of under another name.
var ends = map[string]isolation.End{
	gatewayName: isolation.IngressGateway, "kube-dns": isolation.ClusterDNS, unselected: isolation.None,
}

// shapeOf is what the tenant's connections depend on, by what it has declared and what is effective of that.
func shapeOf(t *testing.T, tenant string) isolation.Shape {
	t.Helper()
	var shape isolation.Shape
	for _, r := range getTenant(t, tenant).Status.SubProcessors {
		if r.State != v1alpha1.RecipientEffective {
			continue
		}
		for _, endpoint := range r.Endpoints {
			shape.Egress = true
			shape.EgressPorts = append(shape.EgressPorts, endpoint.Port)
		}
	}
	return shape
}

// allowed says whether a connection must work, by the data that the operator renders policies from.
func allowed(from *source, to *target) bool {
	return slices.ContainsFunc(from.shape.Connections(), func(c isolation.Connection) bool {
		within := to.tenant == "" || from.tenant == to.tenant || c.From == isolation.IngressGateway
		return c.From == end(from.peer) && c.To == to.end() && c.Port == int32(to.address.Port()) &&
			c.Protocol == to.protocol() && within
	})
}

func end(p peer) isolation.End { return cmp.Or(ends[p.component], isolation.End(p.component)) }

// end is what the data calls the target. Of what is outside only public addresses are the internet.
func (to *target) end() isolation.End {
	if to.component == beyond && egressconfig.Public(to.address.Addr().Unmap()) {
		return isolation.Internet
	}
	return end(to.peer)
}

func (to *target) protocol() isolation.Protocol {
	if to.network == "tcp" {
		return isolation.TCP
	}
	return isolation.UDP
}

// mustListen are the ports that pods of a component listen on, by the data.
func mustListen(component string) []uint16 {
	var ports []uint16
	for _, port := range isolation.Listeners(isolation.End(component)) {
		ports = append(ports, portOf(port))
	}
	return ports
}

// componentsOf are the components that a tenant has pods of.
func componentsOf(shape isolation.Shape) []string {
	components := []string{naming.ChatServer, naming.Postgres}
	if shape.Egress {
		components = append(components, naming.Egress)
	}
	return components
}

// TestTheMatrixExpectsWhatTheDataSays guards the oracle: one that expects nothing to be open would pass on a cluster
// without a network.
func TestTheMatrixExpectsWhatTheDataSays(t *testing.T) {
	const tenant, other = "a", "b"
	from := func(component string) *source {
		return &source{peer: peer{component, tenant}, shape: isolation.Shape{Egress: true, EgressPorts: []int32{443}}}
	}
	to := func(as peer, network, address string) *target {
		return &target{peer: as, network: network, address: netip.MustParseAddrPort(address)}
	}
	for name, tc := range map[string]struct {
		from *source
		to   *target
		want bool
	}{
		"own database":      {from(naming.ChatServer), to(peer{naming.Postgres, tenant}, "tcp", "10.0.0.1:5432"), true},
		"other's database":  {from(naming.ChatServer), to(peer{naming.Postgres, other}, "tcp", "10.0.0.1:5432"), false},
		"no narrow policy":  {from(unselected), to(peer{naming.Postgres, tenant}, "tcp", "10.0.0.1:5432"), false},
		"internet":          {from(naming.Egress), to(peer{component: beyond}, "tcp", "11.22.33.10:443"), true},
		"internet over UDP": {from(naming.Egress), to(peer{component: beyond}, "udp", "11.22.33.10:443"), false},
		"another port":      {from(naming.Egress), to(peer{component: beyond}, "tcp", "11.22.33.10:80"), false},
		"special address":   {from(naming.Egress), to(peer{component: beyond}, "tcp", "192.0.2.10:443"), false},
		"names":             {from(naming.Egress), to(peer{component: "kube-dns"}, "dns", "10.96.0.10:53"), true},
		"names, chat":       {from(naming.ChatServer), to(peer{component: "kube-dns"}, "dns", "10.96.0.10:53"), false},
		"visitors": {&source{peer: peer{component: gatewayName}},
			to(peer{naming.ChatServer, other}, "tcp", "10.0.0.1:"+strconv.Itoa(naming.ChatServerPort)), true},
	} {
		if got := allowed(tc.from, tc.to); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
