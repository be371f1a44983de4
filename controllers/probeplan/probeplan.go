// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package probeplan decides what the isolation probes of a tenant try, and when. It is pure: facts in, plans out.
package probeplan

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/isolation"
)

// Neighbours is how many other tenants a probe knocks at. In a fleet that probes once a day every tenant knocks at that
// many others, and by the ring in Choose every tenant is knocked at by as many: a door that opened is found the same
// day by those whose turn it is, whichever side opened it. More would find nothing sooner, only cost more.
const Neighbours = 8

// doorsPerNeighbour bounds what one neighbour adds to a plan.
const doorsPerNeighbour = 8

// Door is something that may be knocked at.
type Door struct {
	// End is what package isolation calls the other side if it is the tenant's own or shared; empty for everything else,
	// other tenants' pods among it: no role has any business there.
	End isolation.End
	// Network is how to knock.
	Network isolation.Network
	Address netip.AddrPort
	// Unseen means that nobody knows whether anything listens there, so that silence proves nothing.
	Unseen bool
}

// Facts are the doors that exist.
type Facts struct {
	Shape isolation.Shape
	// Own are the tenant's, Shared the cluster's and the world's, both complete.
	Own, Shared []Door
	// Others are those of the neighbours whose turn it is, one list each.
	Others [][]Door
}

// Plan is what a probe in the place of a role tries. It is deterministic, without doubles, and at most
// isolation.MaxTargets long: if something has to be left out, it is doors of neighbours.
func Plan(facts Facts, role isolation.End) isolation.Plan {
	plan := isolation.Plan{Version: isolation.Version, Role: role}
	doors := slices.Concat(sorted(facts.Own), sorted(facts.Shared))
	for _, neighbour := range facts.Others {
		doors = append(doors, firstOf(sorted(neighbour), doorsPerNeighbour)...)
	}
	seen := map[netip.AddrPort]map[isolation.Network]bool{}
	for _, door := range doors {
		want, sense := wanted(facts.Shape, role, door)
		if seen[door.Address] == nil {
			seen[door.Address] = map[isolation.Network]bool{}
		}
		if !sense || seen[door.Address][door.Network] || len(plan.Targets) == isolation.MaxTargets {
			continue
		}
		seen[door.Address][door.Network] = true
		plan.Targets = append(plan.Targets, isolation.Target{Network: door.Network, Address: door.Address, Want: want})
	}
	return plan
}

// Controlled says whether a plan has something that must be open. Without it a pod that had no network at all would
// find everything as closed as it should be.
func Controlled(plan isolation.Plan) bool {
	return slices.ContainsFunc(plan.Targets, func(t isolation.Target) bool { return t.Want == isolation.WantOpen })
}

// wanted says what must become of a knock, by the data that the policies are rendered from. It makes no sense where the
// data leaves it to chance: an address of the internet on a port that recipients use.
func wanted(shape isolation.Shape, role isolation.End, door Door) (want isolation.Want, sense bool) {
	protocol, port := protocolOf(door), int32(door.Address.Port())
	switch {
	case door.End != "" && shape.Allows(role, door.End, protocol, port):
		return isolation.WantOpen, !door.Unseen
	case egressconfig.Public(door.Address.Addr()) && shape.Allows(role, isolation.Internet, protocol, port):
		return "", false
	case door.Unseen:
		return isolation.WantClosedUnseen, true
	}
	return isolation.WantClosed, true
}

func protocolOf(door Door) isolation.Protocol {
	if door.Network == isolation.NetworkDNS {
		return isolation.UDP
	}
	return isolation.TCP
}

func sorted(doors []Door) []Door {
	return slices.SortedFunc(slices.Values(doors), func(a, b Door) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Network, b.Network))
	})
}

func firstOf(doors []Door, n int) []Door { return doors[:min(n, len(doors))] }

// Choose picks the neighbours whose turn it is: the tenants in the order of their names are a ring, and in each round
// every tenant takes the next few behind those of the round before. All tenants that are asked in the same round are
// each picked equally often.
func Choose(tenants []string, self string, round int64) []string {
	ring := slices.Compact(slices.Sorted(slices.Values(tenants)))
	at, found := slices.BinarySearch(ring, self)
	if found {
		ring = slices.Delete(ring, at, at+1)
	}
	if len(ring) <= Neighbours {
		return ring
	}
	// Without self the ring begins with whoever follows it.
	first := int64(at) + round%int64(len(ring))*Neighbours
	picked := make([]string, Neighbours)
	for i := range picked {
		picked[i] = ring[(first+int64(i))%int64(len(ring))]
	}
	return picked
}
