// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"crypto/rand"
	"encoding/binary"
	"flag"
	"os"
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
	streamsFlag  = flag.Float64("chaos.streams", 0.3, "the share of them that does without WebSockets")
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
	t.Logf("seed %d: %d faults in %v, %d replicas, %d visitors, %d agents, %v of them without WebSockets",
		seed, *faultsFlag, *durationFlag, *replicasFlag, *visitorsFlag, *agentsFlag, *streamsFlag)
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
	w.checkKeys(*settleFlag)
	w.judge(faults)
	w.report(g, settled)
}
