// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"flag"
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

// ownFolder is for what the tests share, and for programs that they run in others' networks. TestMain makes it and
// removes it. ownFolders begins its name.
var ownFolder string

const ownFolders = "chattenant-e2e-"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	lock, err := acquire()
	if err == nil {
		defer func() { _ = lock.Close() }()
		err = sweepFolders()
	}
	if err == nil {
		ownFolder, err = os.MkdirTemp("", ownFolders)
		defer func() { _ = os.RemoveAll(ownFolder) }()
	}
	if err == nil {
		err = prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	code := m.Run()
	if err := live.sweep(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: something is left that cannot be removed:", err)
		return 1
	}
	if !fullProof() {
		return code
	}
	if err := writeReport(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return code
}

// prepare connects to the installation and clears away what an earlier run left because it was killed. Signals end it
// in order; during the tests they end the process, and the next run clears away.
func prepare() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if live, err = connect(ctx); err != nil {
		return fmt.Errorf("cannot reach an installation, run `make demo` first: %w", err)
	}
	ready, cancel := context.WithTimeout(ctx, installationPatience)
	defer cancel()
	if err := live.installed(ready); err != nil {
		return fmt.Errorf("the demo is not installed or not ready, run `make demo` first: %w", err)
	}
	if err := live.sweep(ctx); err != nil {
		return fmt.Errorf("an earlier run left something that cannot be removed: %w", err)
	}
	rest, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	if err := poll(rest, live.demoAtRest); err != nil {
		return fmt.Errorf("the demo's tenants do not come to rest: %w", err)
	}
	return nil
}
