// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package load sends messages at times fixed beforehand and measures each from the moment it was due. A server that
// stalls is charged for everything that should have happened meanwhile.
package load

import (
	"math/rand/v2"
	"time"
)

// Arrival is a message that is due.
type Arrival struct {
	// At counts from the start of the run.
	At   time.Duration
	Room int
}

// Schedule makes the arrivals of a Poisson process of rate messages a second, the same for the same seed. Rooms take
// turns, in another order each time round, so that none gets more than its share.
func Schedule(seed uint64, rate float64, length time.Duration, rooms int) []Arrival {
	if rate <= 0 || rooms <= 0 {
		return nil
	}
	source := rand.New(rand.NewPCG(seed, uint64(rooms))) //nolint:gosec // Must repeat, hides nothing.
	arrivals := make([]Arrival, 0, int(rate*length.Seconds()))
	var turn []int
	for at := 0.0; ; {
		at += source.ExpFloat64() / rate
		due := time.Duration(at * float64(time.Second))
		if due >= length {
			return arrivals
		}
		if len(turn) == 0 {
			turn = source.Perm(rooms)
		}
		arrivals = append(arrivals, Arrival{At: due, Room: turn[0]})
		turn = turn[1:]
	}
}
