// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestASmallHeapMayGrowToTheFloorAndALargeOneDoubles(t *testing.T) {
	const floor = 32 << 20
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 4 << 20: 700, 8 << 20: 300, 15 << 20: 100, 1 << 30: 100} {
		if got := pacePercent(floor, heapUse{live: live}); got != want {
			t.Errorf("of %d MiB alive: %d %%, want %d", live>>20, got, want)
		}
	}
}

// TestNoPaceLetsTheHeapGrowBeyondTheFloor computes the collector's goal as Go documents it: stacks and globals count,
// and no goal is below 4 MiB at 100 percent.
func TestNoPaceLetsTheHeapGrowBeyondTheFloor(t *testing.T) {
	const floor = 32 << 20
	for live := uint64(0); live < 2*floor; live += 1 << 19 {
		for roots := uint64(0); roots < floor; roots += 1 << 20 {
			percent := pacePercent(floor, heapUse{live, roots})
			goal := max(live+(live+roots)*uint64(percent)/100, 4<<20*uint64(percent)/100)
			if usual := live + (live + roots); goal > max(floor, usual) {
				t.Fatalf("%d kB alive and %d kB of roots may grow to %d kB", live>>10, roots>>10, goal>>10)
			}
		}
	}
}

// used keeps what is allocated from being optimised away.
var used []byte

func TestTheCollectorIsPacedUntilItIsToldToStop(t *testing.T) {
	count := func(pace bool) uint32 {
		runtime.GC()
		if pace {
			defer paceCollector(1 << 30)()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 128 << 10 {
			used = make([]byte, 2<<10)
		}
		runtime.ReadMemStats(&after)
		return after.NumGC - before.NumGC
	}
	usual, paced := count(false), count(true)
	if paced == 0 || paced > usual/2 {
		t.Errorf("256 MiB of garbage were collected in %d steps, without pace in %d", paced, usual)
	}
	if got := debug.SetGCPercent(goPercent); got != goPercent {
		t.Errorf("afterwards the pace is %d %%", got)
	}
}

func TestWithLittleMemoryTheCollectorIsLeftAlone(t *testing.T) {
	runtime.GC()
	defer paceCollector(1 << 20)()
	if got := debug.SetGCPercent(goPercent); got != goPercent {
		t.Errorf("the pace is %d %%", got)
	}
}
