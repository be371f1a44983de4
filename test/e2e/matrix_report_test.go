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

// lineOf names what the probe counts as: a tenant's own things are another matter than other tenants'.
func lineOf(p *probe) line {
	to := p.to.group
	switch {
	case p.to.tenant == "":
	case p.to.tenant == p.from.tenant:
		to = "its own " + to
	case p.from.tenant == "":
		to = "tenants' " + to
	default:
		to = "other tenants' " + to
	}
	return line{p.from.component, to}
}

// tally counts what became of the probes of a line: right are those that are open as they must be.
type tally struct {
	tried, right, wrong int
	verdicts            map[verdict]int
	// doors are what is open on purpose.
	doors map[string]bool
}

// report puts into the isolation report, and prints, how many pairs were tried and what became of them, by kind of
// source and of target. It fails the test for each pair that is not as it must be.
func report(t *testing.T, probes []probe) {
	t.Helper()
	tallies := map[line]*tally{}
	for i := range probes {
		p := &probes[i]
		key := lineOf(p)
		if tallies[key] == nil {
			tallies[key] = &tally{verdicts: map[verdict]int{}, doors: map[string]bool{}}
		}
		tallies[key].count(p)
		if !p.asWanted() {
			t.Errorf("must be %s: %s", opposite(p), p)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(tallies), byName) {
		tallies[key].record(t, key)
	}
	t.Logf("%s\n%s", summary(probes), table(tallies))
}

func (n *tally) count(p *probe) {
	n.tried++
	n.verdicts[p.verdict]++
	switch {
	case !p.asWanted():
		n.wrong++
	case p.wanted():
		n.right++
		n.doors[fmt.Sprintf("%s:%d", p.to.component, p.to.address.Port())] = true
	}
}

func (n *tally) opened() int { return n.verdicts[opened] + n.verdicts[answered] }

// record makes the line a row of the isolation report. The row is wrong by its own count, not by its neighbours'.
func (n *tally) record(t *testing.T, key line) {
	t.Helper()
	r := record(t, sectionMatrix, key.from+" to "+key.to)
	r.counts = true
	r.add(row{Tried: n.tried, Open: n.right, Refused: n.tried - n.right - n.wrong, Otherwise: n.wrong})
	if len(n.doors) > 0 {
		r.says("open by design: %s", strings.Join(slices.Sorted(maps.Keys(n.doors)), ", "))
	}
}

func byName(a, b line) int { return strings.Compare(a.from+a.to, b.from+b.to) }

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
	for _, key := range slices.SortedFunc(maps.Keys(tallies), byName) {
		n := tallies[key]
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", key.from, key.to, n.tried,
			n.opened(), n.verdicts[refused], n.verdicts[timedOut], n.verdicts[unreachable], n.wrong)
	}
	// A strings.Builder does not fail.
	_ = w.Flush()
	return text.String()
}
