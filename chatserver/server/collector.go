// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// heapFloor is the size to which the heap may grow before it is collected, in bytes, where the memory limit has four
	// times that.
	heapFloor = 32 << 20
	// goPercent is Go's own pace: the heap may double.
	goPercent = 100
	// emptyHeap is what Go lets an empty heap grow to at its own pace, in bytes, and in proportion at others.
	emptyHeap = 4 << 20
)

// collectorPace has a small heap collected less often than whenever it doubled: a busy server of a small tenant would
// spend more on that than on encryption, and messages wait for a core meanwhile. An idle one is collected every two
// minutes in any case, by Go itself, so that it does not grow. Close to the memory limit the limit decides.
type collectorPace struct {
	floor   uint64
	stopped atomic.Bool
	percent int
}

// paceCollector works until the returned function is called. It is for the process, and leaves it alone where GOGC says
// what to do.
func paceCollector(memoryLimit int64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := &collectorPace{floor: uint64(min(heapFloor, max(memoryLimit, 0)/4)), percent: goPercent}
	p.adjust()
	return func() {
		p.stopped.Store(true)
		debug.SetGCPercent(goPercent)
	}
}

// adjust sets the pace by what is alive now, and again after the next collection: that is when a finalizer runs.
func (p *collectorPace) adjust() {
	if p.stopped.Load() {
		return
	}
	if percent := pacePercent(p.floor, readHeap()); percent != p.percent {
		p.percent = percent
		debug.SetGCPercent(percent)
	}
	type nobody struct{ _ *collectorPace }
	runtime.SetFinalizer(&nobody{p}, func(*nobody) { p.adjust() })
}

// heapUse is what the last collection found, in bytes: what is alive, and the stacks and globals that the collector goes
// through besides and counts in its pace.
type heapUse struct{ live, roots uint64 }

// pacePercent is the pace at which a heap grows to floor before it is collected, in steps of 100 so that small changes
// make none.
func pacePercent(floor uint64, use heapUse) int {
	if use.live >= floor {
		return goPercent
	}
	most := (floor - use.live) * 100 / max(use.live+use.roots, 1)
	return max(goPercent, int(min(most, floor*100/emptyHeap)/100)*100)
}

func readHeap() heapUse {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(samples)
	return heapUse{samples[0].Value.Uint64(), samples[1].Value.Uint64() + samples[2].Value.Uint64()}
}
