// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// line is a line of the report.
type line struct {
	from, to string
}

// tally counts what became of the probes of a line.
type tally struct {
	tried, wrong int
	verdicts     map[verdict]int
}

// report prints how many pairs were tried and what became of them, by kind of source and group of targets, and fails
// the test for each pair that is not as it must be.
func report(t *testing.T, probes []probe) {
	t.Helper()
	tallies := map[line]*tally{}
	for i := range probes {
		p := &probes[i]
		key := line{p.from.component, p.to.group}
		if tallies[key] == nil {
			tallies[key] = &tally{verdicts: map[verdict]int{}}
		}
		tallies[key].tried++
		tallies[key].verdicts[p.verdict]++
		if !p.asWanted() {
			tallies[key].wrong++
			t.Errorf("must be %s: %s", opposite(p), p)
		}
	}
	t.Logf("%s\n%s", summary(probes), table(tallies))
}

func opposite(p *probe) string {
	if p.wanted() {
		return "open"
	}
	return "closed"
}

func summary(probes []probe) string {
	open, wrong := 0, 0
	for i := range probes {
		if probes[i].wanted() {
			open++
		}
		if !probes[i].asWanted() {
			wrong++
		}
	}
	return fmt.Sprintf("%d connections tried: %d had to work, %d had to fail, %d did otherwise",
		len(probes), open, len(probes)-open, wrong)
}

func table(tallies map[line]*tally) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tTRIED\tOPEN\tREFUSED\tTIMEOUT\tUNREACHABLE\tWRONG")
	byName := func(a, b line) int { return strings.Compare(a.from+a.to, b.from+b.to) }
	for _, key := range slices.SortedFunc(maps.Keys(tallies), byName) {
		n := tallies[key]
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", key.from, key.to, n.tried,
			n.verdicts[opened]+n.verdicts[answered], n.verdicts[refused], n.verdicts[timedOut], n.verdicts[unreachable], n.wrong)
	}
	// A strings.Builder does not fail.
	_ = w.Flush()
	return text.String()
}
