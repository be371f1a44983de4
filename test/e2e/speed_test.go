// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// readyWithin is what a further tenant may take from its declaration until it serves.
	readyWithin = 20 * time.Second
	// readyWithinUnderLoad is what it may take while the machine is busy with something else.
	readyWithinUnderLoad = 45 * time.Second
	// busy is the number of processes waiting for each processor at which a machine counts as busy.
	busy = 1.5
)

func TestAFurtherTenantIsReadyWithinTwentySeconds(t *testing.T) {
	load := loadPerProcessor(t)
	limit := readyWithin
	if load > busy {
		limit = readyWithinUnderLoad
	}
	start := time.Now()
	tenant := createOnce(t, newTenant("further"))
	took := time.Since(start)
	t.Logf("Ready after %.1f s, at a load of %.1f per processor", took.Seconds(), load)
	if took > limit {
		t.Errorf("want at most %s", limit)
	}
	// Ready is a promise: who reads it may connect at once.
	if _, err := endpoint(t, tenant).Info(t.Context()); err != nil {
		t.Errorf("Ready, but its endpoint does not answer: %v", err)
	}
}

// loadPerProcessor is the kernel's average over the last minute.
func loadPerProcessor(t *testing.T) float64 {
	t.Helper()
	averages, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	load, err := strconv.ParseFloat(strings.Fields(string(averages))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return load / float64(runtime.NumCPU())
}
