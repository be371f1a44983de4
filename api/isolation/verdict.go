// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// MaxMessage is where Kubernetes cuts a termination message, in bytes.
const MaxMessage = 4096

// Verdict is what a probe found, and its termination message.
type Verdict struct {
	Version int `json:"version"`
	// Plan is the digest of the plan that was carried out.
	Plan string `json:"plan"`
	// Tried, Refused and Open count targets. Tried is all of them.
	Tried   int `json:"tried"`
	Refused int `json:"refused"`
	Open    int `json:"open"`
	// Late counts targets that answered at first and were refused before the probe ended: the network took a moment to
	// learn of the pod. They are among Refused.
	Late int `json:"late,omitempty"`
	// Otherwise are the indexes of the targets in the plan that did not become what the plan wants, ascending.
	Otherwise []int `json:"otherwise,omitempty"`
	// Failed are the indexes of those that could not be tried at all, ascending: nothing is known of them.
	Failed []int `json:"failed,omitempty"`
}

// Encode writes the verdict. One that does not fit into a termination message is an error instead of half of it.
func (v Verdict) Encode() ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode verdict: %w", err)
	}
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("the verdict has %d bytes, a termination message %d", len(data), MaxMessage)
	}
	return data, nil
}

// DecodeVerdict reads the verdict on a plan. It is an error if the message is anything but a consistent verdict on
// exactly this plan.
func DecodeVerdict(message string, plan Plan, digest string) (Verdict, error) {
	var v Verdict
	if len(message) > MaxMessage {
		return Verdict{}, errors.New("read verdict: too long")
	}
	if err := decodeStrictly([]byte(message), &v); err != nil {
		return Verdict{}, fmt.Errorf("read verdict: %w", err)
	}
	if v.Version != Version {
		return Verdict{}, fmt.Errorf("read verdict: version %d, want %d", v.Version, Version)
	}
	if v.Plan != digest {
		return Verdict{}, errors.New("read verdict: it is on another plan")
	}
	if err := v.agrees(plan); err != nil {
		return Verdict{}, fmt.Errorf("read verdict: %w", err)
	}
	return v, nil
}

// agrees checks the counts against the plan: they follow from it and from the exceptions.
func (v Verdict) agrees(plan Plan) error {
	for _, list := range [][]int{v.Otherwise, v.Failed} {
		if !ascending(list) || len(list) > 0 && (list[0] < 0 || list[len(list)-1] >= len(plan.Targets)) {
			return errors.New("it speaks of targets that the plan does not have")
		}
	}
	if slices.ContainsFunc(v.Failed, func(i int) bool { return slices.Contains(v.Otherwise, i) }) {
		return errors.New("it says two things of one target")
	}
	open := 0
	for i, t := range plan.Targets {
		otherwise := slices.Contains(v.Otherwise, i)
		if !slices.Contains(v.Failed, i) && (t.Want == WantOpen) != otherwise {
			open++
		}
	}
	if v.Tried != len(plan.Targets) || v.Open != open || v.Refused != v.Tried-open-len(v.Failed) ||
		v.Late < 0 || v.Late > v.Refused {
		return errors.New("its counts do not add up")
	}
	return nil
}

func ascending(list []int) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}
