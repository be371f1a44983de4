// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package progress tells the user what happens, step by step with times.
package progress

import (
	"fmt"
	"io"
	"time"
)

// Reporter prints one line per step.
type Reporter struct {
	out   io.Writer
	now   func() time.Time
	start time.Time
}

// New returns a reporter that writes to out; now is the clock.
func New(out io.Writer, now func() time.Time) *Reporter {
	return &Reporter{out: out, now: now, start: now()}
}

// Step runs work and reports its name, outcome and duration. Work returns a few words about what it did.
func (r *Reporter) Step(name string, work func() (string, error)) error {
	begin := r.now()
	_, _ = fmt.Fprintf(r.out, "  %-22s ", name)
	detail, err := work()
	took := r.now().Sub(begin).Seconds()
	if err != nil {
		_, _ = fmt.Fprintf(r.out, "failed after %.1f s\n", took)
		return fmt.Errorf("%s: %w", name, err)
	}
	_, _ = fmt.Fprintf(r.out, "%6.1f s  %s\n", took, detail)
	return nil
}

// Done reports the whole duration and a closing line.
func (r *Reporter) Done(line string) {
	_, _ = fmt.Fprintf(r.out, "%s (%.1f s)\n", line, r.now().Sub(r.start).Seconds())
}
