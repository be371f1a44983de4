// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"runtime"
	"testing"
	"time"

	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// readyWithin is what a further tenant may take from its declaration until it serves, on a machine that works for the
// cluster alone.
const readyWithin = 20 * time.Second

func TestAFurtherTenantIsReadyWithinTwentySeconds(t *testing.T) {
	watch := startWatch(t)
	tenant := createOnce(t, newTenant("further"))
	took, others := watch.stop(t)
	t.Logf("Ready after %.1f s, while others had %.0f %% of the processors", took.Seconds(), 100*others)
	if own := time.Duration(float64(took) * (1 - others)); own > readyWithin {
		t.Errorf("it would take %s alone, want at most %s", own, readyWithin)
	}
	// Ready is a promise: who reads it may connect at once.
	if _, err := endpoint(t, tenant).Info(t.Context()); err != nil {
		t.Errorf("Ready, but its endpoint does not answer: %v", err)
	}
}

// stopwatch knows for whom the machine works meanwhile.
type stopwatch struct {
	node  string
	start time.Time
	then  podnet.ProcessorTime
}

func startWatch(t *testing.T) stopwatch {
	t.Helper()
	w := stopwatch{node: nodesIn(t, "")[0], start: time.Now()}
	w.then = w.processors(t)
	return w
}

func (w *stopwatch) processors(t *testing.T) podnet.ProcessorTime {
	t.Helper()
	worked, err := podnet.Processors(w.node)
	if err != nil {
		t.Fatal(err)
	}
	return worked
}

// stop says how long it took, and which part of the processors worked for others than the cluster.
func (w *stopwatch) stop(t *testing.T) (took time.Duration, others float64) {
	t.Helper()
	took = time.Since(w.start)
	now := w.processors(t)
	spent := (now.All - w.then.All) - (now.Cluster - w.then.Cluster)
	return took, min(1, max(0, spent.Seconds()/(took.Seconds()*float64(runtime.NumCPU()))))
}
