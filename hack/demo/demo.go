// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// demo is one run. All paths are relative to the repository's root.
type demo struct {
	// out is where generated files and logs go; nothing of it is committed.
	out string
	// log collects what the commands print.
	log *os.File
	// kubeconfig of the cluster, known once it is up.
	kubeconfig string
	// images are references by digest, by component.
	images map[string]string
	// talks is what was said, by tenant.
	talks []talk
}

// step is one thing to bring about. Its name is what a waiting user reads.
type step struct {
	name string
	run  func(*demo, context.Context) error
}

func newDemo() (*demo, error) {
	out := filepath.Join("out", "demo")
	if _, err := os.Stat("charts"); err != nil {
		return nil, fmt.Errorf("run this from the repository's root: make demo")
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for generated files: %w", err)
	}
	log, err := os.Create(filepath.Join(out, "demo.log"))
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &demo{out: out, log: log, images: map[string]string{}}, nil
}

func (d *demo) run(ctx context.Context, steps []step) error {
	began := time.Now()
	for i, s := range steps {
		fmt.Printf("[%d/%d] %s ...\n", i+1, len(steps), s.name)
		stepBegan := time.Now()
		if err := s.run(d, ctx); err != nil {
			return fmt.Errorf("%s: %w\n\nThe last lines of %s:\n%s", s.name, err, d.log.Name(), d.lastLines(25))
		}
		fmt.Printf("      %.1f s\n", time.Since(stepBegan).Seconds())
	}
	fmt.Printf("Done in %.0f s\n", time.Since(began).Seconds())
	return nil
}

func (d *demo) lastLines(n int) string {
	data, err := os.ReadFile(d.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
