// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// outline is what two plans can be compared by.
func outline(faults []*fault) (lines []string) {
	for _, f := range faults {
		lines = append(lines, f.at.String()+" "+f.String()+" "+f.lasts.String())
	}
	return lines
}

func TestAPlanFollowsFromItsSeedAlone(t *testing.T) {
	const faults = 100
	one := outline(plan(7, allKinds(true), 2, faults, time.Minute))
	again := outline(plan(7, allKinds(true), 2, faults, time.Minute))
	if diff := cmp.Diff(one, again); diff != "" {
		t.Errorf("the same seed gives another plan:\n%s", diff)
	}
	if other := outline(plan(8, allKinds(true), 2, faults, time.Minute)); cmp.Equal(one, other) {
		t.Error("another seed gives the same plan")
	}
	if len(one) != faults {
		t.Errorf("%d faults instead of %d", len(one), faults)
	}
}

func TestFaultsOverlapButNeverOnTheSamePart(t *testing.T) {
	faults := plan(7, allKinds(true), 2, 200, 10*time.Minute)
	overlaps := 0
	for i, earlier := range faults {
		for _, later := range faults[i+1:] {
			if later.at >= earlier.at+earlier.lasts {
				continue
			}
			overlaps++
			same := earlier.kind.part == later.kind.part
			if same && (earlier.kind.part.shared() || earlier.replica == later.replica) {
				t.Errorf("%v at %v while %v lasts", later, later.at, earlier)
			}
		}
	}
	if overlaps == 0 {
		t.Error("no two faults overlap")
	}
}

func TestALongPlanHasEveryKindOfFaultAndHealsWhatItBreaks(t *testing.T) {
	kinds := allKinds(true)
	faults := plan(7, kinds, 2, 400, time.Hour)
	seen := map[string]bool{}
	for _, f := range faults {
		seen[f.kind.String()] = true
	}
	for i := range kinds {
		if name := kinds[i].String(); !seen[name] {
			t.Errorf("no %q among %d faults", name, len(faults))
		}
	}
	open := map[*fault]bool{}
	var last time.Duration
	for _, s := range steps(faults) {
		if s.at < last || s.heals && !open[s.fault] {
			t.Errorf("%v at %v is out of order", s.fault, s.at)
		}
		last, open[s.fault] = s.at, !s.heals && s.fault.kind.heal != nil
	}
	for f, broken := range open {
		if broken {
			t.Errorf("%v is never healed", f)
		}
	}
}
