// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"maps"
	"slices"
	"time"
)

// judge compares the database with everything else, and fails the test if anything is not as promised.
func (w *world) judge(faults []*fault) {
	rows, heads, err := w.db.rows(w.ctx)
	if err != nil {
		w.t.Errorf("read the database: %v", err)
	}
	w.oracle.Audit(rows, heads)
	existing, err := w.db.existing(w.ctx)
	if err != nil {
		w.t.Errorf("read the database: %v", err)
	}
	w.oracle.AuditRefusals(existing)
	for _, r := range w.replicas {
		if err := w.checkNoise(r); err != nil {
			w.t.Error(err)
		}
	}
	happened := 0
	for _, n := range w.done {
		happened += n
	}
	if happened < len(faults) {
		w.t.Errorf("%d of %d faults happened", happened, len(faults))
	}
	if w.oracle.Summary().Acknowledged == 0 {
		w.t.Error("nothing was acknowledged: there was nothing to judge")
	}
	violations := w.oracle.Violations()
	for _, v := range violations {
		w.t.Error(v)
	}
	w.db.keepLog(w.t)
	if w.t.Failed() {
		w.t.Errorf("seed %d; the faults are above, the logs in %s (kept with -artifacts)", w.seed, w.t.ArtifactDir())
	}
}

// report prints what happened.
func (w *world) report(g *gathering, settled time.Duration) {
	total := 0
	for _, name := range slices.Sorted(maps.Keys(w.done)) {
		w.t.Logf("%4d  %s", w.done[name], name)
		total += w.done[name]
	}
	surrenders := 0
	for _, r := range w.replicas {
		surrenders += r.countSurrenders()
	}
	connections, fresh := g.counts()
	s := w.oracle.Summary()
	w.t.Logf("seed %d: %d faults, %d violations", w.seed, total, len(w.oracle.Violations()))
	w.t.Logf("%d messages acknowledged, %d of them sent again, %d deleted; the longest wait was %v, from %s",
		s.Acknowledged, s.Repeated, s.Deleted, s.Longest.For.Round(ms), s.Longest.From.UTC().Format(time.TimeOnly))
	w.t.Logf("%d acknowledged were taken back by restores; readers were reset %d times", s.TakenBack, s.Resets)
	w.t.Logf("%d connections, %d readings from the beginning under faults; replicas gave up %d times",
		connections, fresh, surrenders)
	w.t.Logf("everybody was answered and had read everything %v after the last fault", settled.Round(ms))
}
