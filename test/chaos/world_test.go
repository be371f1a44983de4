// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// world is everything that faults can happen to.
type world struct {
	t        *testing.T
	seed     uint64
	oracle   *oracle.Oracle
	db       *database
	replicas []*replica
	service  *service
	proxies  *proxies
	ca       *certtest.CA
	// ctx ends with the test, or when somebody interrupts it.
	ctx context.Context
	// done counts the faults that happened, by name.
	done map[string]int
}

const startTimeout = 4 * time.Minute

// newWorld starts replicas on a new database and ends them with the test.
func newWorld(t *testing.T, seed uint64, replicas int) *world {
	t.Helper()
	ctx, cancel := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	w := &world{t: t, seed: seed, oracle: oracle.New(clock.RealClock{}), ctx: ctx, done: map[string]int{}}
	t.Cleanup(cancel)
	// First, so that the folders of the test are made before the database brings its own disk.
	program := build(t)
	w.db = newDatabase(t)
	w.ca = certtest.NewCA(t)
	w.service = &service{tls: (&servertest.Replica{Roots: w.ca.Pool()}).TLS()}
	w.proxies = newProxies(t, w.service, w.ca)
	var running sync.WaitGroup
	for i := range replicas {
		r := newReplica(t, fmt.Sprintf("replica %d", i), program, w.db.Database, w.ca, w.oracle)
		w.replicas = append(w.replicas, r)
		running.Go(func() { r.supervise(ctx) })
		running.Go(func() { r.probe(ctx) })
	}
	w.service.replicas = w.replicas
	// Before the links close and the folders go.
	t.Cleanup(func() { cancel(); running.Wait() })
	w.waitUntil(startTimeout, "every replica is ready", w.allReady)
	if err := w.db.hurryRotations(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

// build makes the program that is shipped.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chatserver")
	const source = "github.com/chattenant/chattenant/cmd/chatserver"
	cmd := exec.CommandContext(t.Context(), "go", "build", fmt.Sprintf("-race=%t", *raceFlag), "-o", program, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the chat server: %v\n%s", err, out)
	}
	return program
}

func (w *world) allReady() string {
	for _, r := range w.replicas {
		if !r.ready.Load() {
			return r.name + " is not ready"
		}
	}
	return ""
}

// waitUntil waits until missing has nothing to say and fails the test with what it says if that takes too long.
func (w *world) waitUntil(limit time.Duration, what string, missing func() string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	for {
		complaint := missing()
		if complaint == "" {
			return
		}
		if ctx.Err() != nil {
			w.oracle.Violated("waited %v until %s: %s", limit, what, complaint)
			return
		}
		pause(ctx, 20*ms)
	}
}

// suffer lets the faults happen, and heals everything before it returns, also when the test is interrupted. Time stands
// still while something is done, so that the order is the plan's however slow the machine is.
func (w *world) suffer(faults []*fault) {
	begun := map[*fault]bool{}
	start := time.Now()
	var at time.Duration
	for _, s := range steps(faults) {
		pause(w.ctx, s.at-at)
		at = s.at
		switch {
		case s.heals && begun[s.fault]:
			w.act(start, s.fault, "over", s.fault.kind.heal)
		case !s.heals && w.ctx.Err() == nil:
			w.await(s.fault)
			begun[s.fault] = w.act(start, s.fault, "for "+s.fault.lasts.String(), s.fault.kind.begin)
			if begun[s.fault] {
				w.done[s.fault.kind.String()]++
			}
		}
	}
}

// await lets a prompt fault wait for an acknowledgement, if one comes soon.
func (w *world) await(f *fault) {
	if !f.prompt {
		return
	}
	const soon = time.Second
	ctx, cancel := context.WithTimeout(w.ctx, soon)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-w.oracle.NextAcknowledgement():
	}
}

func (w *world) act(start time.Time, f *fault, mark string, action func(*world, *fault) error) bool {
	err := action(w, f)
	if err != nil {
		mark += fmt.Sprintf(", which was not possible: %v", err)
	}
	w.t.Logf("%10v  %v: %s", time.Since(start).Round(ms), f, mark)
	return err == nil
}
