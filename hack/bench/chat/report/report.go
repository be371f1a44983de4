// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package report says what was measured, to people and to programs.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/stats"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

// Report is everything measured.
type Report struct {
	// Subject is the target that the others are compared with.
	Subject string
	Rates   []float64
	Rooms   int
	Seed    uint64
	Started time.Time
	// Flush is one flush of the disk, Fsync the whole output of pg_test_fsync.
	Flush  time.Duration
	Fsync  string
	Blocks []*trial.Block
	// Plain is what an idle connection takes without TLS, of the targets that can do without.
	Plain map[string]trial.Footprint
}

// Load is the machine's load average.
func Load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(data))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

// names are the targets in the order they first came.
func (r *Report) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, b := range r.Blocks {
		if !seen[b.Target] {
			seen[b.Target] = true
			names = append(names, b.Target)
		}
	}
	return names
}

// of returns figures of a target's blocks, one list per block.
func (r *Report) of(name string, figures func(*trial.Block) []float64) [][]float64 {
	var out [][]float64
	for _, b := range r.Blocks {
		if b.Target == name {
			out = append(out, figures(b))
		}
	}
	return out
}

// median of a figure over a target's blocks.
func (r *Report) median(name string, figure func(*trial.Block) float64) float64 {
	var all []float64
	for _, b := range r.Blocks {
		if b.Target == name {
			all = append(all, figure(b))
		}
	}
	return stats.Median(all)
}

func (r *Report) ratio(other string, figures func(*trial.Block) []float64) stats.Ratio {
	return stats.RatioOf(r.Seed, r.of(r.Subject, figures), r.of(other, figures))
}

// WriteJSON writes every figure to file.
func (r *Report) WriteJSON(file string) error {
	data, err := json.MarshalIndent(r.document(), "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
