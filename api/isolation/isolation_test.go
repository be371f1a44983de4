// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"slices"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
)

func TestWithoutRecipientsNothingLeavesATenant(t *testing.T) {
	for _, c := range (Shape{}).Connections() {
		if c.From == Egress || c.To == Egress || c.To == ClusterDNS || c.To == Internet {
			t.Errorf("%s -> %s is open: %s", c.From, c.To, c.Why)
		}
	}
}

func TestOnlyTheEgressGatewayReachesWhatIsOutside(t *testing.T) {
	shape := Shape{Egress: true, EgressPorts: []int32{443, 465, 443}}
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
	for _, c := range (Shape{Egress: true, EgressPorts: []int32{443, 443, 8443}}).Connections() {
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
	shape := Shape{Egress: true, EgressPorts: []int32{443}}
	for _, c := range shape.Connections() {
		if slices.Contains(shape.Roles(), c.To) && !slices.Contains(Listeners(c.To), c.Port) {
			t.Errorf("%s -> %s port %d is open, and nothing listens there", c.From, c.To, c.Port)
		}
	}
}

func TestAGatewayWithoutRecipientsReachesNothing(t *testing.T) {
	for _, c := range (Shape{Egress: true}).Connections() {
		if c.From == Egress {
			t.Errorf("%s -> %s is open: %s", c.From, c.To, c.Why)
		}
	}
}

func TestEveryBlockExceptsWhatTheGatewayRefuses(t *testing.T) {
	excepted := 0
	for _, block := range InternetBlocks() {
		for _, p := range block.Except {
			if !block.Range.Overlaps(p) || p.Bits() <= block.Range.Bits() {
				t.Errorf("%s is no exception from %s", p, block.Range)
			}
			excepted++
		}
	}
	if want := len(egressconfig.SpecialRanges()); excepted != want || want == 0 {
		t.Errorf("%d ranges are excepted, want %d", excepted, want)
	}
}
