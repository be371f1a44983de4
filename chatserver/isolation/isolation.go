// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package isolation tries, from a pod of the tenant, whether what must be closed is closed and what must be open is
// open. It knows of the cluster only what its plan says, and answers with counts and indexes alone.
package isolation

import (
	"context"
	"strconv"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/chatserver/isolation/prober"
)

// Timing is how patient a probe is. All targets are tried at once, so a probe takes Patience and one Attempt at most.
type Timing struct {
	// Attempt bounds one try: long enough for a lost first packet to be sent again, after a second.
	Attempt time.Duration
	// Patience is how long a target that is not as it must be is tried again, every Pause: networks learn of a new pod
	// a moment after it has started, and until then some refuse everything and some nothing.
	Patience, Pause time.Duration
}

// DefaultTiming ends a probe within five seconds.
var DefaultTiming = Timing{Attempt: 2 * time.Second, Patience: 3 * time.Second, Pause: 250 * time.Millisecond}

// finding is what became of one target.
type finding struct {
	open, late, failed bool
}

// Run carries out a plan. Digest is that of the plan as it was given.
func Run(ctx context.Context, plan isolation.Plan, digest string, timing Timing, c clock.Clock) isolation.Verdict {
	findings := make([]finding, len(plan.Targets))
	var tries sync.WaitGroup
	for i, target := range plan.Targets {
		tries.Go(func() { findings[i] = settle(ctx, target, timing, c) })
	}
	tries.Wait()
	return verdict(plan, digest, findings)
}

// settle tries a target until it is as it must be, or patience ends: the last try counts.
func settle(ctx context.Context, target isolation.Target, timing Timing, c clock.Clock) finding {
	start := c.Now()
	for late := false; ; {
		outcome := attempt(ctx, target, timing.Attempt)
		found := finding{open: outcome.Reached(), late: late, failed: couldNotTry(outcome)}
		right := !found.failed && found.open == (target.Want == isolation.WantOpen)
		if right || c.Since(start) >= timing.Patience || ctx.Err() != nil {
			found.late = late && !found.open && !found.failed
			return found
		}
		late = late || found.open
		select {
		case <-c.After(timing.Pause):
		case <-ctx.Done():
		}
	}
}

func attempt(ctx context.Context, target isolation.Target, timeout time.Duration) prober.Outcome {
	outcome, _ := prober.Try(ctx, prober.Target{
		ID: strconv.Itoa(int(target.Address.Port())), Network: string(target.Network),
		Address: target.Address.String(), TimeoutMs: int(timeout.Milliseconds()),
	})
	return outcome
}

// couldNotTry tells a door that is shut from one that was not reached for: out of sockets, for one.
func couldNotTry(o prober.Outcome) bool {
	return o == prober.OutcomeFailed || o == prober.OutcomeUnresolved
}

func verdict(plan isolation.Plan, digest string, findings []finding) isolation.Verdict {
	v := isolation.Verdict{Version: isolation.Version, Plan: digest, Tried: len(findings)}
	for i, found := range findings {
		switch {
		case found.failed:
			v.Failed = append(v.Failed, i)
			continue
		case found.open:
			v.Open++
		default:
			v.Refused++
		}
		if found.late {
			v.Late++
		}
		if found.open != (plan.Targets[i].Want == isolation.WantOpen) {
			v.Otherwise = append(v.Otherwise, i)
		}
	}
	return v
}
