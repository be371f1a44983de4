// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func examplePlan() Plan {
	target := func(port int, want Want) Target {
		return Target{NetworkTCP, netip.MustParseAddrPort(fmt.Sprintf("10.0.0.1:%d", port)), want}
	}
	return Plan{Version: Version, Role: ChatServer, Targets: []Target{
		target(1, WantClosed), target(2, WantOpen), target(3, WantClosedUnseen), target(4, WantClosed),
	}}
}

func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	plan := examplePlan()
	data, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("plan (-written +read):\n%s", diff)
	}
}

func TestPlansThatWouldLeaveSomethingUntriedAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             "",
		"no targets":          `{"version":1,"role":"chatserver","targets":[]}`,
		"another version":     `{"version":2,"role":"chatserver","targets":[{"n":"tcp","a":"10.0.0.1:1","w":"closed"}]}`,
		"a misspelt field":    `{"version":1,"role":"chatserver","target":[]}`,
		"an unknown network":  `{"version":1,"role":"chatserver","targets":[{"n":"sctp","a":"10.0.0.1:1","w":"closed"}]}`,
		"an unknown wish":     `{"version":1,"role":"chatserver","targets":[{"n":"tcp","a":"10.0.0.1:1","w":"shut"}]}`,
		"no address":          `{"version":1,"role":"chatserver","targets":[{"n":"tcp","w":"closed"}]}`,
		"a name for address":  `{"version":1,"role":"chatserver","targets":[{"n":"tcp","a":"example.com:1","w":"closed"}]}`,
		"something behind it": `{"version":1,"role":"chatserver","targets":[{"n":"tcp","a":"10.0.0.1:1","w":"closed"}]}{}`,
		"too many targets": `{"version":1,"role":"chatserver","targets":[` +
			strings.Repeat(`{"n":"tcp","a":"10.0.0.1:1","w":"closed"},`, MaxTargets) +
			`{"n":"tcp","a":"10.0.0.1:1","w":"closed"}]}`,
	} {
		if _, err := DecodePlan([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestOnlyAConsistentVerdictOnThisPlanIsRead(t *testing.T) {
	plan := examplePlan()
	for name, tc := range map[string]struct {
		message string
		want    bool
	}{
		"everything as wanted": {`{"version":1,"plan":"d","tried":4,"refused":3,"open":1}`, true},
		"a hole":               {`{"version":1,"plan":"d","tried":4,"refused":2,"open":2,"otherwise":[3]}`, true},
		"a way that is shut":   {`{"version":1,"plan":"d","tried":4,"refused":4,"open":0,"otherwise":[1]}`, true},
		"one that failed":      {`{"version":1,"plan":"d","tried":4,"refused":2,"open":1,"failed":[0]}`, true},
		"late ones":            {`{"version":1,"plan":"d","tried":4,"refused":3,"open":1,"late":2}`, true},
		"a crash's last words": {`panic: out of memory`, false},
		"nothing":              {``, false},
		"another version":      {`{"version":2,"plan":"d","tried":4,"refused":3,"open":1}`, false},
		"another plan":         {`{"version":1,"plan":"e","tried":4,"refused":3,"open":1}`, false},
		"fewer tries":          {`{"version":1,"plan":"d","tried":3,"refused":2,"open":1}`, false},
		"a hole that is not named": {
			`{"version":1,"plan":"d","tried":4,"refused":2,"open":2}`, false},
		"a hole that was not counted": {
			`{"version":1,"plan":"d","tried":4,"refused":3,"open":1,"otherwise":[3]}`, false},
		"an open one that nobody named": {`{"version":1,"plan":"d","tried":4,"refused":3,"open":2}`, false},
		"a target that the plan lacks": {
			`{"version":1,"plan":"d","tried":4,"refused":2,"open":2,"otherwise":[4]}`, false},
		"a target before the first": {
			`{"version":1,"plan":"d","tried":4,"refused":2,"open":2,"otherwise":[-1]}`, false},
		"a target twice": {
			`{"version":1,"plan":"d","tried":4,"refused":2,"open":2,"otherwise":[3,3]}`, false},
		"both at once": {
			`{"version":1,"plan":"d","tried":4,"refused":2,"open":1,"otherwise":[0],"failed":[0]}`, false},
		"more late than refused": {`{"version":1,"plan":"d","tried":4,"refused":3,"open":1,"late":4}`, false},
		"an unknown field":       {`{"version":1,"plan":"d","tried":4,"refused":3,"open":1,"ok":true}`, false},
		"something behind it":    {`{"version":1,"plan":"d","tried":4,"refused":3,"open":1}x`, false},
		"too long": {
			`{"version":1,"plan":"d","tried":4,"refused":3,"open":1}` + strings.Repeat(" ", MaxMessage), false},
	} {
		if _, err := DecodeVerdict(tc.message, plan, "d"); (err == nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheWorstVerdictFitsIntoATerminationMessage(t *testing.T) {
	all := make([]int, MaxTargets)
	for i := range all {
		all[i] = i
	}
	worst := Verdict{Version: Version, Plan: Digest(nil), Tried: MaxTargets, Refused: MaxTargets, Late: MaxTargets,
		Otherwise: slices.Clone(all), Failed: all}
	if _, err := worst.Encode(); err != nil {
		t.Error(err)
	}
}
