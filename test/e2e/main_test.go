// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// installationPatience is how long the demo's tenants may take to be Ready, for example right after a reboot.
const installationPatience = 2 * time.Minute

// live is the cluster under test. TestMain sets it before any test runs.
var live *cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if live, err = connect(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: cannot reach an installation, run `make demo` first:", err)
		return 1
	}
	ready, cancel := context.WithTimeout(ctx, installationPatience)
	defer cancel()
	if err := live.installed(ready); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: the demo is not installed or not ready, run `make demo` first:", err)
		return 1
	}
	if err := live.sweep(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: an earlier run left something that cannot be removed:", err)
		return 1
	}
	return m.Run()
}
