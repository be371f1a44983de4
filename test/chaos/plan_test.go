// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// part is what a fault needs to itself while it lasts.
type part int

const (
	program part = iota
	front
	back
	// The others are no replica's.
	postgres
	proxy
)

func (p part) shared() bool { return p >= postgres }

// kind is a way in which something fails.
type kind struct {
	name   string
	weight int
	part   part
	// shortest and longest bound how long it lasts. Both are 0 for what happens in a moment.
	shortest, longest time.Duration
	begin             func(*world, *fault) error
	// heal is nil for what heals by itself.
	heal func(*world, *fault) error
}

// fault is one failure of a plan.
type fault struct {
	kind    *kind
	at      time.Duration
	lasts   time.Duration
	replica int
	// prompt lets the fault happen right after an acknowledgement: whoever acknowledged too early is then caught.
	prompt bool
}

func (f *fault) String() string {
	if f.kind.part.shared() {
		return f.kind.String()
	}
	return fmt.Sprintf("%d. %v", f.replica, f.kind)
}

func (k *kind) String() string {
	switch k.part {
	case postgres:
		return "PostgreSQL " + k.name
	case proxy:
		return "proxies " + k.name
	default:
		return "replica " + k.name
	}
}

// repeatable gives everybody a randomness of their own that the seed decides.
func repeatable(seed uint64, who int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(who))) //nolint:gosec // Must repeat, hides nothing.
}

// plan chooses faults from the seed alone. They overlap, but never two on the same part of the same replica.
func plan(seed uint64, kinds []kind, replicas, count int, duration time.Duration) []*fault {
	random := repeatable(seed, 0)
	busy := map[[2]int]time.Duration{}
	var faults []*fault
	gap := duration / time.Duration(count)
	var at time.Duration
	for len(faults) < count {
		f := choose(random, kinds, replicas)
		resource := [2]int{int(f.kind.part), f.replica}
		if f.kind.part.shared() {
			resource[1] = 0
		}
		if at < busy[resource] {
			// Everything may be busy: time must go on.
			at += 10 * time.Millisecond
			continue
		}
		f.at = at
		busy[resource] = at + f.lasts + time.Second
		faults = append(faults, f)
		at += within(random, 0, 2*gap)
	}
	return faults
}

func choose(random *rand.Rand, kinds []kind, replicas int) *fault {
	total := 0
	for i := range kinds {
		total += kinds[i].weight
	}
	pick := random.IntN(total)
	i := slices.IndexFunc(kinds, func(k kind) bool { pick -= k.weight; return pick < 0 })
	k := &kinds[i]
	return &fault{
		kind: k, lasts: within(random, k.shortest, k.longest), replica: random.IntN(replicas), prompt: random.IntN(2) == 0,
	}
}

// within is a random duration from shortest to longest, in whole milliseconds.
func within(random *rand.Rand, shortest, longest time.Duration) time.Duration {
	spread := (longest - shortest).Milliseconds()
	return shortest + time.Duration(random.Int64N(spread+1))*time.Millisecond
}

// step is the beginning or the healing of a fault.
type step struct {
	fault *fault
	at    time.Duration
	heals bool
}

// steps puts the beginnings and healings of a plan in order.
func steps(faults []*fault) []step {
	var out []step
	for _, f := range faults {
		out = append(out, step{fault: f, at: f.at})
		if f.kind.heal != nil {
			out = append(out, step{fault: f, at: f.at + f.lasts, heals: true})
		}
	}
	slices.SortStableFunc(out, func(a, b step) int { return int(a.at - b.at) })
	return out
}
