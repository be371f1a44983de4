// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/isolation/prober"
)

const targetsVariable = "NETPROBE_TARGETS"

// maxTerminationMessage is where Kubernetes cuts a termination message, in bytes.
const maxTerminationMessage = 4096

// Result is what came of one target.
type Result struct {
	ID      string         `json:"id"`
	Network string         `json:"network"`
	Address string         `json:"address"`
	Outcome prober.Outcome `json:"outcome"`
	// Detail is for people: the response code, the certificate's names, or what went wrong.
	Detail string `json:"detail,omitempty"`
	// Millis is how long the try took, in milliseconds.
	Millis int64 `json:"millis"`
	// AsExpected is set when the target said what it expects.
	AsExpected *bool `json:"asExpected,omitempty"`
}

func runProbe(ctx context.Context, args []string, std streams) (int, error) {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(std.err)
	parallel := flags.Int("parallel", 64, "how many targets are tried at once")
	terminationLog := flags.String("termination-log", "", "file that also gets the result")
	if err := flags.Parse(args); err != nil {
		return exitUsage, nil //nolint:nilerr // the flag set has told the user already
	}
	if *parallel < 1 {
		return exitUsage, fmt.Errorf("--parallel: want at least 1, got %d", *parallel)
	}
	data, err := readTargets(flags.Args(), std)
	if err != nil {
		return exitUsage, err
	}
	targets, err := parseTargets(data)
	if err != nil {
		return exitUsage, err
	}
	results := probeAll(ctx, targets, *parallel, clock.RealClock{})
	if err := report(results, std.out, *terminationLog); err != nil {
		return exitUsage, err
	}
	return statusOf(results), nil
}

func readTargets(args []string, std streams) ([]byte, error) {
	switch {
	case len(args) > 1:
		return nil, fmt.Errorf("want one list of targets, got %d arguments", len(args))
	case len(args) == 0:
		return []byte(std.env(targetsVariable)), nil
	case args[0] == "-":
		data, err := io.ReadAll(std.in)
		if err != nil {
			return nil, fmt.Errorf("read targets: %w", err)
		}
		return data, nil
	default:
		return []byte(args[0]), nil
	}
}

// probeAll tries all targets, at most parallel at once, and returns results in the order of the targets.
func probeAll(ctx context.Context, targets []prober.Target, parallel int, c clock.PassiveClock) []Result {
	results := make([]Result, len(targets))
	places := make(chan struct{}, parallel)
	var tries sync.WaitGroup
	for i, target := range targets {
		places <- struct{}{}
		tries.Go(func() {
			defer func() { <-places }()
			results[i] = probe(ctx, target, c)
		})
	}
	tries.Wait()
	return results
}

func probe(ctx context.Context, target prober.Target, c clock.PassiveClock) Result {
	start := c.Now()
	outcome, detail := prober.Try(ctx, target)
	result := Result{
		ID: target.ID, Network: target.Network, Address: target.Address,
		Outcome: outcome, Detail: detail, Millis: c.Since(start).Milliseconds(),
	}
	if target.Expect != "" {
		asExpected := outcome == target.Expect
		result.AsExpected = &asExpected
	}
	return result
}

func statusOf(results []Result) int {
	for _, result := range results {
		if result.AsExpected != nil && !*result.AsExpected {
			return exitUnexpected
		}
	}
	return exitAsExpected
}

func report(results []Result, out io.Writer, terminationLog string) error {
	data, err := json.Marshal(results)
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s\n", data); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if terminationLog == "" {
		return nil
	}
	if len(data) > maxTerminationMessage {
		return fmt.Errorf("results of %d bytes exceed a termination message's %d", len(data), maxTerminationMessage)
	}
	if err := os.WriteFile(terminationLog, data, 0o600); err != nil {
		return fmt.Errorf("write termination message: %w", err)
	}
	return nil
}
