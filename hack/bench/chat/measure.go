// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/pki"
	"github.com/chattenant/chattenant/hack/bench/chat/postgres"
	"github.com/chattenant/chattenant/hack/bench/chat/report"
	"github.com/chattenant/chattenant/hack/bench/chat/stats"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

const (
	warmup         = 2 * time.Second
	maxConnections = 4
	keyBytes       = 32
)

// measure runs all blocks and prints the report.
func measure(ctx context.Context, o *options, now func() time.Time, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp(o.dir, "bench")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	plan, err := prepare(ctx, o, dir, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Database.Stop(context.WithoutCancel(ctx))) }()
	if o.storm > 0 {
		return weather(ctx, o, plan, out)
	}
	r := &report.Report{Subject: o.targets[0], Rates: o.rates, Rooms: o.rooms, Seed: o.seed, Started: now()}
	r.Plain = map[string]trial.Footprint{}
	if r.Flush, r.Fsync, err = plan.Database.TestFsync(ctx); err != nil {
		return err
	}
	for i, name := range stats.Mirrored(o.targets, o.rounds) {
		fmt.Fprintf(progress, "%s block %d: %s, load average %s\n", now().Format(time.TimeOnly), i+1, name, report.Load())
		t, err := o.find(name)
		if err != nil {
			return err
		}
		block, err := trial.Measure(ctx, plan, name, t, o.program(name))
		if err != nil {
			return err
		}
		r.Blocks = append(r.Blocks, block)
	}
	if err := measurePlain(ctx, o, plan, r); err != nil {
		return err
	}
	r.Print(out)
	if o.jsonFile == "" {
		return nil
	}
	return r.WriteJSON(o.jsonFile)
}

// measurePlain measures what TLS adds to a connection. The product has no form without it: there the difference that it
// makes to the pipe tells.
func measurePlain(ctx context.Context, o *options, plan *trial.Plan, r *report.Report) error {
	for _, name := range o.targets {
		server, ok := local[name]
		if !ok || o.plain || name == product || name == "replicas" {
			continue
		}
		idle, err := trial.MeasureIdle(ctx, plan, name, server)
		if err != nil {
			return err
		}
		r.Plain[name] = idle
	}
	return nil
}

func (o *options) program(name string) trial.Program {
	p := trial.Program{Rates: o.rates, Length: o.length, KneeFrom: o.kneeFrom, Step: o.step}
	if o.profiles != "" {
		p.Profile = filepath.Join(o.profiles, name+".cpu.pprof")
		p.HeapProfile = filepath.Join(o.profiles, name+".heap.pprof")
	}
	return p
}

// prepare starts the database and lays out what servers and clients share.
func prepare(ctx context.Context, o *options, dir string, now func() time.Time) (*trial.Plan, error) {
	authority, err := pki.NewAuthority(now())
	if err != nil {
		return nil, err
	}
	site := target.Site{
		Plain: o.plain, CAFile: filepath.Join(dir, "ca.crt"), KEKFile: filepath.Join(dir, "kek"), Password: rand.Text(),
	}
	if site.Endpoint, err = authority.Issue(filepath.Join(dir, "endpoint"), target.Host, target.Host); err != nil {
		return nil, err
	}
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // Never fails.
	if err := errors.Join(authority.WriteCert(site.CAFile), os.WriteFile(site.KEKFile, key, 0o600)); err != nil {
		return nil, fmt.Errorf("prepare folder: %w", err)
	}
	db, err := postgres.Start(ctx, postgres.Config{Dir: dir, Settings: o.settings, Authority: authority})
	if err != nil {
		return nil, err
	}
	if err := db.RequireDurable(ctx); err != nil {
		return nil, errors.Join(err, db.Stop(ctx))
	}
	site.Database = db.Database(maxConnections)
	return &trial.Plan{
		Database: db, Site: site, Rooms: o.rooms, Seed: o.seed, Warmup: warmup, MaxLag: o.maxLag, Now: now,
		ServeArgs: func(name string) []string { return []string{"--serve", name} },
		CrowdArgs: func(name string) []string { return []string{"--crowd", name} },
	}, nil
}
