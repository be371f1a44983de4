// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	planned "github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/chatserver/isolation"
)

// quickProbe tries once: who refuses does so at once, unless the machine stalls.
var quickProbe = isolation.Timing{Attempt: 30 * time.Second, Patience: 0, Pause: time.Millisecond}

func TestAProbeLeavesItsVerdictAsTerminationMessage(t *testing.T) {
	// Port 1 of loopback: nobody listens there.
	plan := planned.Plan{Version: planned.Version, Role: planned.Postgres, Targets: []planned.Target{
		{Network: planned.NetworkTCP, Address: netip.MustParseAddrPort("127.0.0.1:1"), Want: planned.WantClosed},
	}}
	encoded, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	message := filepath.Join(t.TempDir(), "termination-log")
	if err := probeIsolation(t.Context(), string(encoded), message, quickProbe); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(message)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := planned.DecodeVerdict(string(data), plan, planned.Digest(encoded))
	if err != nil || verdict.Refused != 1 {
		t.Errorf("verdict %+v: %v", verdict, err)
	}
}

func TestAProbeWithoutAPlanOrTimeLeavesNoVerdict(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	const plan = `{"version":1,"role":"postgres","targets":[{"n":"tcp","a":"127.0.0.1:1","w":"closed"}]}`
	for name, tc := range map[string]struct {
		ctx  context.Context
		plan string
	}{
		"no plan":            {t.Context(), ""},
		"an unreadable plan": {t.Context(), "{"},
		"no time":            {stopped, plan},
	} {
		message := filepath.Join(t.TempDir(), "termination-log")
		if err := probeIsolation(tc.ctx, tc.plan, message, quickProbe); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Stat(message); err == nil {
			t.Errorf("%s: there is a verdict", name)
		}
	}
}
