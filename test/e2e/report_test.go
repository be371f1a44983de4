// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
)

// section is a part of the isolation report. The constants are in the order in which it prints them.
type section string

// Sections of the isolation report. `make e2e-isolation` fails when one of them has no rows.
const (
	sectionMatrix      section = "connections of pods"
	sectionEgress      section = "ways round the egress gateway"
	sectionRecipients  section = "life of a recipient"
	sectionResidency   section = "residency and placement"
	sectionAdmission   section = "admission to tenants' namespaces"
	sectionBenchmarks  section = "multi-tenancy benchmarks"
	sectionPodSecurity section = "pod security fixtures"
	sectionSecrets     section = "secrets in the audit log"
)

// sections are all there are, in the report's order.
func sections() []section {
	return []section{
		sectionMatrix, sectionEgress, sectionRecipients, sectionResidency, sectionAdmission, sectionBenchmarks,
		sectionPodSecurity, sectionSecrets,
	}
}

// row is a line of the isolation report. Any test makes one with [record], early, so that it is there when the test
// fails:
//
//	row := record(t, sectionBenchmarks, "MTB-PL1-BC-CPI-5: Services of type NodePort")
//	...
//	row.refused("by policy %s", policyObjects)
//
// What is counted are tries: refused and open ones that had to be so, and those that went otherwise. The row is as it
// must be if the test passes and nothing went otherwise; a row without a single try is not.
type row struct {
	Section section `json:"section"`
	Name    string  `json:"name"`
	Tried   int     `json:"tried"`
	Refused int     `json:"refused"`
	Open    int     `json:"open"`
	// Otherwise are tries that did not end as they had to.
	Otherwise int `json:"otherwise"`
	// Result says in a few words what was found: who refused, how soon, why that is right.
	Result string `json:"result"`
	// OK is set when the test ends.
	OK bool `json:"ok"`

	// counts says that what was counted decides alone: one test has many rows, and not all are wrong when one is.
	counts bool
}

// isolationReport collects the rows of all tests. Tests run in parallel, so it has a lock.
var isolationReport struct {
	sync.Mutex
	rows []*row
}

// record begins a row of the report. The test's end settles it.
func record(t *testing.T, in section, name string) *row {
	t.Helper()
	r := &row{Section: in, Name: name}
	isolationReport.Lock()
	isolationReport.rows = append(isolationReport.rows, r)
	isolationReport.Unlock()
	t.Cleanup(func() {
		isolationReport.Lock()
		defer isolationReport.Unlock()
		r.OK = (r.counts || !t.Failed() && !t.Skipped()) && r.Tried > 0 && r.Otherwise == 0
	})
	return r
}

// inOrder goes through a table of tries by name, so that two reports can be compared.
func inOrder[K ~string, V any](table map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			if !yield(name, table[name]) {
				return
			}
		}
	}
}

// refused counts a try that was refused, as it had to be, and says how.
func (r *row) refused(how string, arguments ...any) {
	r.add(row{Tried: 1, Refused: 1, Result: fmt.Sprintf(how, arguments...)})
}

// opened counts a try that worked, as it had to, and says how.
func (r *row) opened(how string, arguments ...any) {
	r.add(row{Tried: 1, Open: 1, Result: fmt.Sprintf(how, arguments...)})
}

// otherwise counts a try that did not end as it had to. It does not fail the test: whoever found it does.
func (r *row) otherwise(how string, arguments ...any) {
	r.add(row{Tried: 1, Otherwise: 1, Result: fmt.Sprintf(how, arguments...)})
}

// says replaces the words of the result.
func (r *row) says(what string, arguments ...any) {
	isolationReport.Lock()
	defer isolationReport.Unlock()
	r.Result = fmt.Sprintf(what, arguments...)
}

// add counts tries. The words of the last one that has some stand.
func (r *row) add(more row) {
	isolationReport.Lock()
	defer isolationReport.Unlock()
	r.Tried += more.Tried
	r.Refused += more.Refused
	r.Open += more.Open
	r.Otherwise += more.Otherwise
	if more.Result != "" {
		r.Result = more.Result
	}
}
