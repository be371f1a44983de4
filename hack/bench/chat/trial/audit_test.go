// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"math"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

func TestTheAuditWantsExactlyWhatWasAcknowledged(t *testing.T) {
	acked := map[int64]struct{}{1: {}, 2: {}}
	for name, c := range map[string]struct {
		kept []string
		want string
	}{
		"all kept, in any order": {[]string{target.ID(2), target.ID(1)}, ""},
		"one lost":               {[]string{target.ID(1)}, "1 acknowledged but not kept"},
		"one too many":           {[]string{target.ID(1), target.ID(2), target.ID(3)}, "1 kept but not acknowledged"},
		"one twice":              {[]string{target.ID(1), target.ID(2), target.ID(2)}, "1 kept twice"},
		// The counts agree, the messages do not.
		"another in its place": {[]string{target.ID(1), target.ID(4)}, "1 acknowledged but not kept, 1 kept but not"},
		"an id of another":     {[]string{"4b3f3b9e-0000-4000-8000-000000000001"}, "no id of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			err := compare(acked, c.kept)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

func TestTheSearchFindsALimit(t *testing.T) {
	for _, limit := range []float64{90, 700, 4321, 20000} {
		search, held, steps := kneeSearch{rate: 500, high: math.Inf(1)}, 0.0, 0
		for ; !search.done(); steps++ {
			if search.rate <= limit {
				held = search.rate
			}
			search.learn(search.rate <= limit)
		}
		if held > limit || held < 0.94*limit || steps > 20 {
			t.Errorf("limit %g: found %g in %d steps", limit, held, steps)
		}
	}
}

func TestTheSearchGivesUpWhenNothingHolds(t *testing.T) {
	search, steps := kneeSearch{rate: 500, high: math.Inf(1)}, 0
	for ; !search.done() && steps < 100; steps++ {
		search.learn(false)
	}
	if steps == 100 {
		t.Error("it goes on for ever")
	}
}
