// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// replacementKinds are the ways in which another state of the database takes its place. Each ends a history: clients
// are reset, and have what the database has.
func replacementKinds() []kind {
	return []kind{
		// Whatever is acknowledged between backup and restore may go, and nothing else.
		{"is restored from a backup", 2, postgres, time.Second, 8 * time.Second, backUp, restore},
		// A standby that commits wait for has everything.
		{"is lost, and its standby takes over", 2, postgres, 500 * ms, 4 * time.Second, follow, promote},
	}
}

func backUp(w *world, _ *fault) error {
	if err := w.db.recovered(w.ctx); err != nil {
		return err
	}
	w.db.mark = w.oracle.Mark()
	w.db.backup = w.db.Dump(w.t)
	return nil
}

func restore(w *world, _ *fault) error {
	if err := w.noteEpoch(); err != nil {
		return err
	}
	var err error
	w.db.Cluster.Replace(w.t, w.db.backup, func() { err = w.replaced(storetest.Restored, w.db.mark) })
	w.db.backup = ""
	return err
}

func follow(w *world, _ *fault) error {
	if err := w.db.recovered(w.ctx); err != nil {
		return err
	}
	w.db.standby = w.db.Cluster.Standby(w.t, settings...)
	return nil
}

func promote(w *world, _ *fault) error {
	if err := w.noteEpoch(); err != nil {
		return err
	}
	lost := w.db.Cluster
	lost.Kill()
	w.db.keepLog(w.t)
	lost.Remove()
	w.db.standby.Promote(w.t)
	w.db.Database, w.db.standby = w.db.At(w.db.standby), nil
	w.db.find(w.t)
	if err := w.replaced(w.db.Config.Name, nil); err != nil {
		return err
	}
	for _, r := range w.replicas {
		r.back.SetTarget(fmt.Sprintf("127.0.0.1:%d", w.db.Cluster.Port))
	}
	return nil
}

// noteEpoch tells the oracle the epoch of what is about to go.
func (w *world) noteEpoch() error {
	conn, err := w.db.connect(w.ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(w.ctx) }()
	var epoch int64
	if err := conn.QueryRow(w.ctx, `SELECT epoch FROM instance`).Scan(&epoch); err != nil {
		return fmt.Errorf("read epoch: %w", err)
	}
	w.oracle.NoteEpoch(epoch)
	return nil
}

// replaced tells the oracle what is in the database of that name, which nobody has reached yet.
func (w *world) replaced(name string, since *oracle.Mark) error {
	config, err := pgx.ParseConfig(w.db.admin)
	if err != nil {
		return fmt.Errorf("read address: %w", err)
	}
	config.Database = name
	conn, err := pgx.ConnectConfig(w.ctx, config)
	if err != nil {
		return fmt.Errorf("connect to what was restored: %w", err)
	}
	defer func() { _ = conn.Close(w.ctx) }()
	rows, err := readRows(w.ctx, conn)
	if err != nil {
		return err
	}
	w.oracle.Replaced(rows, since)
	return nil
}
