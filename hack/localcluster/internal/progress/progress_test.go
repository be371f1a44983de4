// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// fakeClock advances by one second each time it is read.
func fakeClock() func() time.Time {
	at := time.Unix(0, 0)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

func TestStepReportsWhatWasDoneAndHowLongItTook(t *testing.T) {
	var out strings.Builder
	reporter := New(&out, fakeClock())
	if err := reporter.Step("binaries", func() (string, error) { return "built", nil }); err != nil {
		t.Fatal(err)
	}
	if want := "  binaries                  1.0 s  built\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestStepNamesTheStepThatFailed(t *testing.T) {
	var out strings.Builder
	cause := errors.New("disk full")
	err := New(&out, fakeClock()).Step("binaries", func() (string, error) { return "", cause })
	if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "binaries: ") {
		t.Errorf("error is %v", err)
	}
	if !strings.Contains(out.String(), "failed after 1.0 s") {
		t.Errorf("printed %q", out.String())
	}
}
