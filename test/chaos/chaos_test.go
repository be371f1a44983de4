// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"crypto/rand"
	"encoding/binary"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

var (
	seedFlag     = flag.Uint64("chaos.seed", 0, "what the faults are chosen from; 0 takes a new one")
	durationFlag = flag.Duration("chaos.duration", time.Minute, "how long faults are begun for")
	faultsFlag   = flag.Int("chaos.faults", 25, "how many faults are planned for that time")
	replicasFlag = flag.Int("chaos.replicas", 2, "how many chat servers there are")
	visitorsFlag = flag.Int("chaos.visitors", 30, "how many visitors talk")
	agentsFlag   = flag.Int("chaos.agents", 3, "how many agents answer")
	raceFlag     = flag.Bool("chaos.race", false, "build the chat servers with the race detector")
	settleFlag   = flag.Duration("chaos.settle", 90*time.Second,
		"how long after the last fault everybody may take to be answered and to have read everything")
)

func seed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	var b [4]byte
	_, _ = rand.Read(b[:])
	return uint64(binary.BigEndian.Uint32(b[:])) + 1
}

const witnesses = 2

// TestChaosLosesDoublesAndReordersNothingAcknowledged is the whole run: talk, faults, calm, and the oracle's judgement.
func TestChaosLosesDoublesAndReordersNothingAcknowledged(t *testing.T) {
	seed := seed()
	t.Logf("seed %d: %d faults in %v, %d replicas, %d visitors, %d agents",
		seed, *faultsFlag, *durationFlag, *replicasFlag, *visitorsFlag, *agentsFlag)
	faults := plan(seed, allKinds(os.Getenv(smallDisk) != ""), *replicasFlag, *faultsFlag, *durationFlag)
	w := newWorld(t, seed, *replicasFlag)
	crowd := size{visitors: *visitorsFlag, agents: *agentsFlag, witnesses: witnesses}
	g, err := gather(w, crowd, *durationFlag/2)
	if err != nil {
		t.Fatal(err)
	}
	w.suffer(faults)
	if w.ctx.Err() != nil {
		t.Fatal("interrupted")
	}
	healed := time.Now()
	w.waitUntil(*settleFlag, "every replica is ready", w.allReady)
	g.finish(*settleFlag - time.Since(healed))
	settled := time.Since(healed)
	g.readAgain(*settleFlag)
	g.leave()
	w.judge(faults)
	w.report(g, settled)
}

// judge compares the database with everything else, and fails the test if anything is not as promised.
func (w *world) judge(faults []*fault) {
	rows, heads, err := w.db.rows(w.ctx)
	if err != nil {
		w.t.Errorf("read the database: %v", err)
	}
	w.oracle.Audit(rows, heads)
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
	if w.t.Failed() {
		w.db.keepLog(w.t)
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
	s := w.oracle.Summary()
	var connections, fresh int64
	for _, v := range g.visitors {
		connections += v.connections.Load()
	}
	for _, a := range g.agents {
		connections += a.connections.Load()
	}
	for _, e := range g.witnesses {
		connections += e.sockets.Load()
		fresh += e.fresh.Load()
	}
	surrenders := 0
	for _, r := range w.replicas {
		surrenders += r.countSurrenders()
	}
	w.t.Logf("seed %d: %d faults; %d messages acknowledged, %d of them twice; longest wait %v, from %s; "+
		"%d connections, %d readings from the beginning under faults; replicas gave up %d times; settled after %v",
		w.seed, total, s.Acknowledged, s.Repeated, s.Longest.For.Round(ms), s.Longest.From.UTC().Format("15:04:05"),
		connections, fresh, surrenders, settled.Round(ms))
}
