// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	planned "github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/chatserver/isolation"
)

// terminationLog is where a container leaves the message that becomes part of its pod's status.
const terminationLog = "/dev/termination-log"

func newProbeIsolation() *cobra.Command {
	var message string
	cmd := &cobra.Command{
		Use:   "probe-isolation",
		Short: "Try what must be closed to a pod of this tenant and what must be open, as the operator planned it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return probeIsolation(cmd.Context(), os.Getenv(planned.PlanVariable), message, isolation.DefaultTiming)
		},
	}
	cmd.Flags().StringVar(&message, "termination-log", terminationLog, "file that gets the verdict")
	return cmd
}

// probeIsolation succeeds whenever there is a verdict, whatever it says: to judge it is the operator's part.
func probeIsolation(ctx context.Context, encoded, message string, timing isolation.Timing) error {
	if encoded == "" {
		return errors.New("there is no plan in " + planned.PlanVariable + ": the operator's Jobs have one")
	}
	plan, err := planned.DecodePlan([]byte(encoded))
	if err != nil {
		return err
	}
	verdict := isolation.Run(ctx, plan, planned.Digest([]byte(encoded)), timing, clock.RealClock{})
	// A probe that was told to stop has not tried everything for as long as it should.
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped before the verdict: %w", err)
	}
	data, err := verdict.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Clean(message), data, 0o600); err != nil { //nolint:gosec // its own command line
		return fmt.Errorf("leave the verdict: %w", err)
	}
	return nil
}
