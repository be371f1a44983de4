// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package traceability

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The Multi-Tenancy Benchmarks: those that were written, and those that were planned.
const benchmarksWritten, benchmarksPlanned = 19, 6

var (
	benchmarkAsked     = regexp.MustCompile(`(?m)^\t+\{?"(MTB-[A-Z0-9-]+)", "`)
	benchmarkDescribed = regexp.MustCompile(`(?m)^\| (MTB-[A-Z0-9-]+)[ |]`)
)

func TestEveryBenchmarkIsAskedAndDescribed(t *testing.T) {
	asked := found(t, benchmarkAsked, "../benchmarks_test.go")
	if len(asked) != benchmarksWritten+benchmarksPlanned {
		t.Errorf("%d benchmarks are asked, want %d and %d", len(asked), benchmarksWritten, benchmarksPlanned)
	}
	if diff := cmp.Diff(asked, found(t, benchmarkDescribed, root+"/docs/multi-tenancy-benchmarks.md")); diff != "" {
		t.Errorf("the document and the tests differ (-asked +described):\n%s", diff)
	}
}

// found are the different names in a file, in order.
func found(t *testing.T, name *regexp.Regexp, file string) []string {
	t.Helper()
	names := map[string]bool{}
	for _, match := range name.FindAllStringSubmatch(read(t, file), -1) {
		names[match[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}
