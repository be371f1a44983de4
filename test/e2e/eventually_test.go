// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"
)

const (
	// pollEvery is how often something awaited is looked at.
	pollEvery = 200 * time.Millisecond
	// patience bounds what should take a few seconds: the machine may be busy.
	patience = 60 * time.Second
	// startPatience bounds the start of a tenant on a busy machine.
	startPatience = 3 * time.Minute
	// probePatience bounds the probes inside a tenant: one that came to no verdict is repeated a minute later, and once
	// more after two.
	probePatience = 6 * time.Minute
)

// eventually waits until check finds nothing wrong, and fails the test with the last thing that was.
func eventually(t *testing.T, within time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := poll(ctx, check); err != nil {
		t.Fatalf("%s, not within %s: %v", what, within, err)
	}
}

// poll repeats check until it finds nothing wrong or the context ends, and returns what was wrong last: not that the
// time was up, which says nothing.
func poll(ctx context.Context, check func(context.Context) error) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var wrong error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if wrong == nil || ctx.Err() == nil {
			wrong = err
		}
		select {
		case <-ctx.Done():
			return wrong
		case <-ticker.C:
		}
	}
}

// steadily fails the test if check finds something wrong at any time during a period.
func steadily(t *testing.T, during time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(pollEvery) {
		if err := check(t.Context()); err != nil {
			t.Fatalf("%s, but: %v", what, err)
		}
	}
}

// pause lets time pass in which something should not happen.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}
