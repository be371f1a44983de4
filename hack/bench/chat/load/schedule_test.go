// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package load_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
)

func TestTheSameSeedGivesTheSameSchedule(t *testing.T) {
	a, b := load.Schedule(7, 500, time.Second, 10), load.Schedule(7, 500, time.Second, 10)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a, load.Schedule(8, 500, time.Second, 10)) {
		t.Error("another seed gives the same schedule")
	}
}

func TestArrivalsAreInOrderAtTheRateAskedFor(t *testing.T) {
	const rate, length = 1000.0, 20 * time.Second
	arrivals := load.Schedule(1, rate, length, 100)
	want := rate * length.Seconds()
	// Four standard deviations of a Poisson count.
	if off := math.Abs(float64(len(arrivals)) - want); off > 4*math.Sqrt(want) {
		t.Errorf("%d arrivals, want about %.0f", len(arrivals), want)
	}
	gaps, last := 0.0, time.Duration(0)
	for i, a := range arrivals {
		if a.At < last || a.At >= length {
			t.Fatalf("arrival %d at %v follows one at %v", i, a.At, last)
		}
		gap := (a.At - last).Seconds() * rate
		gaps += gap * gap
		last = a.At
	}
	// The mean square of exponential gaps is 2, that of even ones 1.
	if square := gaps / float64(len(arrivals)); math.Abs(square-2) > 0.2 {
		t.Errorf("the gaps have mean square %.2f, want 2: arrivals must not be even", square)
	}
}

func TestRoomsTakeTurns(t *testing.T) {
	const rooms = 50
	counts := map[int]int{}
	arrivals := load.Schedule(3, 5000, time.Second, rooms)
	for _, a := range arrivals {
		counts[a.Room]++
	}
	share := len(arrivals) / rooms
	for room := range rooms {
		if n := counts[room]; n < share || n > share+1 {
			t.Errorf("room %d has %d messages, its share is %d", room, n, share)
		}
	}
}

func TestNothingIsScheduledWithoutRateOrRooms(t *testing.T) {
	if n := len(load.Schedule(1, 0, time.Second, 5)) + len(load.Schedule(1, 5, time.Second, 0)); n != 0 {
		t.Errorf("%d arrivals", n)
	}
}
