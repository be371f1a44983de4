// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package probeplan

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/isolation"
)

func door(end isolation.End, address string) Door {
	return Door{End: end, Network: isolation.NetworkTCP, Address: netip.MustParseAddrPort(address)}
}

func exampleFacts() Facts {
	dns := door(isolation.ClusterDNS, "10.96.0.10:53")
	dns.Network = isolation.NetworkDNS
	outside := door("", "193.0.14.129:443")
	outside.Unseen = true
	return Facts{
		Shape: isolation.Shape{Egress: true, EgressPorts: []int32{443}},
		Own: []Door{
			door(isolation.Postgres, "10.244.1.2:5432"), door(isolation.ChatServer, "10.244.1.1:8443"),
			door(isolation.ChatServer, "10.244.1.1:9443"), door(isolation.Egress, "10.244.1.3:8444"),
		},
		Shared: []Door{dns, door("", "10.96.0.1:443"), outside, door("", "203.0.113.5:443")},
		Others: [][]Door{{door("", "10.244.2.2:5432"), door("", "10.244.2.2:5432")}},
	}
}

func TestAPlanWantsWhatTheDataSays(t *testing.T) {
	const open, closed, unseen = isolation.WantOpen, isolation.WantClosed, isolation.WantClosedUnseen
	for role, want := range map[isolation.End]map[string]isolation.Want{
		isolation.ChatServer: {"10.244.1.2:5432": open, "10.244.1.3:8444": open, "193.0.14.129:443": unseen},
		isolation.Postgres:   {"193.0.14.129:443": unseen},
		// What the internet's port 443 answers to the egress gateway is nobody's promise. Special ranges are closed.
		isolation.Egress: {"10.96.0.10:53": open, "193.0.14.129:443": ""},
		isolation.None:   {"193.0.14.129:443": unseen},
	} {
		t.Run(string(role), func(t *testing.T) {
			got := map[string]isolation.Want{"193.0.14.129:443": ""}
			for _, target := range Plan(exampleFacts(), role).Targets {
				got[target.Address.String()] = target.Want
			}
			for _, address := range []string{
				"10.244.1.1:8443", "10.244.1.1:9443", "10.244.1.2:5432", "10.244.1.3:8444", "10.96.0.10:53", "10.96.0.1:443",
				"203.0.113.5:443", "10.244.2.2:5432",
			} {
				if _, named := want[address]; !named {
					want[address] = closed
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPlanIsBoundedAndTheSameForTheSameFacts(t *testing.T) {
	facts := exampleFacts()
	for n := range 40 {
		var doors []Door
		for i := range 20 {
			doors = append(doors, door("", fmt.Sprintf("10.1.%d.%d:5432", n, i+1)))
		}
		facts.Others = append(facts.Others, doors)
	}
	first := Plan(facts, isolation.ChatServer)
	slices.Reverse(facts.Own)
	slices.Reverse(facts.Shared)
	if diff := cmp.Diff(first, Plan(facts, isolation.ChatServer), cmp.Comparer(func(a, b netip.AddrPort) bool {
		return a == b
	})); diff != "" {
		t.Errorf("the order of facts changes the plan:\n%s", diff)
	}
	if len(first.Targets) != isolation.MaxTargets {
		t.Errorf("%d targets, want %d", len(first.Targets), isolation.MaxTargets)
	}
	data, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := isolation.DecodePlan(data); err != nil {
		t.Errorf("a probe would refuse it: %v", err)
	}
	t.Logf("the largest plan has %d bytes", len(data))
}

func TestInEachRoundEveryTenantIsPickedEquallyOftenAndInTimeByAll(t *testing.T) {
	var tenants []string
	for i := range 50 {
		tenants = append(tenants, fmt.Sprintf("tenant-%02d", i))
	}
	met := map[[2]string]bool{}
	for round := range int64(49) {
		picked := map[string]int{}
		for _, self := range tenants {
			for _, other := range Choose(tenants, self, round) {
				picked[other]++
				met[[2]string{self, other}] = true
				if other == self {
					t.Fatalf("%s picked itself", self)
				}
			}
		}
		for _, tenant := range tenants {
			if picked[tenant] != Neighbours {
				t.Fatalf("round %d: %s is picked %d times, want %d", round, tenant, picked[tenant], Neighbours)
			}
		}
	}
	if want := 50 * 49; len(met) != want {
		t.Errorf("%d pairs met, want all %d", len(met), want)
	}
}

func TestASmallFleetPicksEverybodyElse(t *testing.T) {
	if diff := cmp.Diff([]string{"a", "c"}, Choose([]string{"c", "a", "b"}, "b", 7)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Choose([]string{"b"}, "b", 0); len(got) != 0 {
		t.Errorf("alone it picks %v", got)
	}
}

func TestProbesAreDue(t *testing.T) {
	last := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	sound := History{Period: 24 * time.Hour, Last: last, SamePolicies: true}
	with := func(change func(*History)) History { h := sound; change(&h); return h }
	for _, tc := range []struct {
		name          string
		history       History
		after, before time.Duration // since last
	}{
		{"at once, if there was none", with(func(h *History) { h.Last = time.Time{} }), -1 << 62, 0},
		{"at once, if policies changed", with(func(h *History) { h.SamePolicies = false }), -1 << 62, 0},
		{"within one and a half periods", sound, 12 * time.Hour, 36 * time.Hour},
		{"soon, if there is a hole", with(func(h *History) { h.Hole = true }), 10 * time.Minute, 10 * time.Minute},
		{"a minute after a failure",
			with(func(h *History) { h.Failures, h.LastFailure = 1, last }), time.Minute, time.Minute},
		{"later after more of them",
			with(func(h *History) { h.Failures, h.LastFailure = 4, last }), 8 * time.Minute, 8 * time.Minute},
		{"an hour after many, even for new policies",
			with(func(h *History) { h.Failures, h.LastFailure, h.SamePolicies = 1000, last, false }), time.Hour, time.Hour},
	} {
		for _, uid := range []string{"a", "b", "c", "d"} {
			next := NextProbe(tc.history, uid)
			if !next.IsZero() && (next.Before(last.Add(tc.after)) || next.After(last.Add(tc.before))) {
				t.Errorf("%s: due %s after the last", tc.name, next.Sub(last))
			}
			if next.IsZero() && tc.before > 0 {
				t.Errorf("%s: due at once", tc.name)
			}
		}
	}
}

func TestAFleetsProbesSpreadOverThePeriod(t *testing.T) {
	const fleet, period = 10_000, 24 * time.Hour
	last := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	perHour := map[int]int{}
	for i := range fleet {
		next := NextProbe(History{Period: period, Last: last, SamePolicies: true}, fmt.Sprintf("uid-%d", i))
		perHour[int(next.Sub(last)/time.Hour)]++
	}
	for hour, n := range perHour {
		if n > fleet/24*3/2 {
			t.Errorf("hour %d has %d of %d probes", hour, n, fleet)
		}
	}
}

func TestAPlanIsControlledByWhatMustBeOpen(t *testing.T) {
	target := func(want isolation.Want) isolation.Target { return isolation.Target{Want: want} }
	for _, tc := range []struct {
		name    string
		targets []isolation.Target
		want    bool
	}{
		{"nothing", nil, false},
		{"closed doors only", []isolation.Target{target(isolation.WantClosed), target(isolation.WantClosedUnseen)}, false},
		{"one that must be open", []isolation.Target{target(isolation.WantClosed), target(isolation.WantOpen)}, true},
	} {
		if got := Controlled(isolation.Plan{Targets: tc.targets}); got != tc.want {
			t.Errorf("%s: controlled is %v", tc.name, got)
		}
	}
}
