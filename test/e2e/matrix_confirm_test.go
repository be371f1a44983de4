// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import "testing"

const (
	// confirmations are how often a connection is tried again that was made and must be refused.
	confirmations = 3
	// mostSlipped are how many of a table may have been made once and never again.
	mostSlipped = 1
)

// confirm tries again what must be closed and was open. A hole stays open: one confirmation is enough to fail. The
// network renews its rules whenever pods come and go, and a packet that slips through meanwhile is the network's doing
// and no policy's: it is told, and a second one fails the test.
func confirm(t *testing.T, with prober, probes []probe) {
	t.Helper()
	slipped := 0
	for i := range probes {
		if p := &probes[i]; !p.wanted() && p.verdict.isOpen() && !stillOpen(t, with, p) {
			slipped++
			t.Logf("made once and never again: %s", p)
		}
	}
	if slipped > mostSlipped {
		t.Errorf("%d connections were made once that must be refused", slipped)
	}
}

// stillOpen leaves the verdict of the last confirmation in the probe.
func stillOpen(t *testing.T, with prober, p *probe) bool {
	t.Helper()
	again := []probe{*p}
	for range confirmations {
		tryAll(t, with, again)
		if p.verdict = again[0].verdict; p.verdict.isOpen() {
			return true
		}
	}
	return false
}
