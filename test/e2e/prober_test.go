// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// attempt and outcome are what netprobe reads and prints, see its documentation.
type attempt struct {
	ID        string `json:"id"`
	Network   string `json:"network"`
	Address   string `json:"address"`
	TimeoutMs int64  `json:"timeoutMs"`
}

type outcome struct {
	Outcome verdict `json:"outcome"`
	Detail  string  `json:"detail"`
}

// verdict is what became of an attempt.
type verdict string

const (
	opened      verdict = "open"
	answered    verdict = "answered"
	refused     verdict = "refused"
	unreachable verdict = "unreachable"
	timedOut    verdict = "timeout"
)

func (v verdict) isOpen() bool { return v == opened || v == answered }

// isClosed is not the opposite of isOpen: an attempt that went wrong otherwise proves nothing.
func (v verdict) isClosed() bool { return v == refused || v == unreachable || v == timedOut }

// prober is the netprobe program, built for the test.
type prober struct {
	path string
}

func newProber(t *testing.T) prober {
	t.Helper()
	path, err := buildProber()
	if err != nil {
		t.Fatalf("build the prober: %v", err)
	}
	return prober{path: path}
}

// buildProber builds it for the first test that needs it.
var buildProber = sync.OnceValues(func() (string, error) {
	path := filepath.Join(ownFolder, "netprobe")
	_, err := output(context.Background(), "go", "build", "-o", path, root+"/test/netprobe")
	return path, err
})

// try makes attempts from inside a namespace, all at the same time, and returns what became of each, in their order.
func (p prober) try(ctx context.Context, from *podnet.Namespace, attempts []attempt) ([]outcome, error) {
	if len(attempts) == 0 {
		return nil, nil
	}
	input, err := json.Marshal(attempts)
	if err != nil {
		return nil, fmt.Errorf("write attempts: %w", err)
	}
	var out, errs bytes.Buffer
	command := exec.CommandContext(ctx, p.path, "probe", "--parallel", "256", "-")
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &out, &errs
	if err := from.Start(command); err != nil {
		return nil, fmt.Errorf("start the prober: %w", err)
	}
	if err := command.Wait(); err != nil {
		return nil, fmt.Errorf("the prober: %w: %s", err, &errs)
	}
	var outcomes []outcome
	if err := json.Unmarshal(out.Bytes(), &outcomes); err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	for i, o := range outcomes {
		if !o.Outcome.isOpen() && !o.Outcome.isClosed() {
			return nil, fmt.Errorf("%s %s: %s: %s", attempts[i].Network, attempts[i].Address, o.Outcome, o.Detail)
		}
	}
	return outcomes, nil
}
