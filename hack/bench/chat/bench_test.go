// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/bare"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

// TestMain lets the test binary be the server's process.
func TestMain(m *testing.M) {
	local["liar"] = liar{}
	if slices.Contains(os.Args, "--serve") {
		main()
		return
	}
	os.Exit(m.Run())
}

// newPlan starts a database for one test. The machine may have much else to do: the generator may lag.
func newPlan(t *testing.T, args ...string) (*options, *trial.Plan) {
	t.Helper()
	o, err := parse(append([]string{"--rooms", "5", "--seconds", "2", "--max-lag", "10s", "--knee-from", "0"}, args...),
		t.Output())
	if err != nil {
		t.Fatal(err)
	}
	o.settings = filepath.Join("..", o.settings)
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	plan, err := prepare(t.Context(), o, dir, clock.RealClock{}.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plan.Database.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	plan.Warmup = time.Second
	return o, plan
}

func TestEveryTargetKeepsAndDeliversWhatItAcknowledges(t *testing.T) {
	o, plan := newPlan(t, "--rates", "20")
	for _, name := range o.targets {
		t.Run(name, func(t *testing.T) {
			server, err := o.find(name)
			if err != nil {
				t.Fatal(err)
			}
			block, err := trial.Measure(t.Context(), plan, name, server, o.program(name))
			if err != nil {
				t.Fatal(err)
			}
			m := block.Equal[0]
			if m.Acked != m.Sent || m.Undelivered != 0 || m.Strays != 0 || block.Rows != int(m.Acked) || m.Acked == 0 {
				t.Errorf("%d rows, %+v", block.Rows, m.Result)
			}
			if m.CPU <= 0 || block.Idle.Live <= 0 {
				t.Errorf("CPU %g, idle %+v", m.CPU, block.Idle)
			}
		})
	}
}

// liar acknowledges what it does not keep: it is the pipe, with a table that forgets.
type liar struct{ bare.Pipe }

// Serve implements target.Server.
func (liar) Serve(ctx context.Context, site target.Site, listener net.Listener) error {
	pool, err := bare.OpenPool(ctx, site, 1)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `ALTER TABLE message RENAME TO kept;
		CREATE VIEW message AS SELECT * FROM kept;
		CREATE RULE forget AS ON INSERT TO message DO INSTEAD NOTHING;
		ALTER TABLE kept RENAME TO unused`)
	pool.Close()
	return errors.Join(err, bare.Pipe{}.ServeExisting(ctx, site, listener))
}

func TestAServerThatDoesNotKeepWhatItAcknowledgesFailsTheRun(t *testing.T) {
	o, plan := newPlan(t, "--rates", "20", "--targets", "liar")
	_, err := trial.Measure(t.Context(), plan, "liar", local["liar"], o.program("liar"))
	if err == nil || !strings.Contains(err.Error(), "acknowledged but not kept") {
		t.Errorf("got %v", err)
	}
}

func TestTheCommandLineIsChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"no target":          {"--targets", "other"},
		"takes more rooms":   {"--rooms", "10", "--rates", "51"},
		"want 1 to":          {"--rooms", "0", "--rates", ""},
		"must say where":     {"--targets", "centrifugo"},
		"want at least 1":    {"--seconds", "0"},
		"invalid syntax":     {"--rates", "fast"},
		"not defined: -fast": {"--fast"},
	} {
		if _, err := parse(args, t.Output()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", args, want, err)
		}
	}
}
