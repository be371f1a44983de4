// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/naming"
)

// A database comes back from what was kept of it in several ways. Each of these ends with the test.

// At is the same database, as another cluster has it.
func (db *Database) At(c *Cluster) *Database {
	moved := *db
	moved.Cluster, moved.Config.Port = c, c.Port
	return &moved
}

// Load replaces what the cluster has by a dump.
func (c *Cluster) Load(tb testing.TB, dump string) {
	tb.Helper()
	c.recreate(tb)
	c.load(tb, naming.DatabaseName, dump)
}

func (c *Cluster) load(tb testing.TB, database, dump string) {
	tb.Helper()
	psql := c.command("psql", "-h", c.dir, "-p", portString(c.Port), "-U", "postgres", "-X", "-q",
		"-v", "ON_ERROR_STOP=1", "-d", database)
	psql.Stdin = strings.NewReader(dump)
	if out, err := psql.CombinedOutput(); err != nil {
		tb.Fatalf("load a dump: %v\n%s", err, out)
	}
}

// Restored is the database that Replace shows before it takes its place.
const Restored = "restored"

// Replace puts what a dump holds into the place of the database, which ends its sessions. See is called when the dump
// is loaded and the old database is gone, before anybody but an administrator reaches the new one.
func (c *Cluster) Replace(tb testing.TB, dump string, see func()) {
	tb.Helper()
	c.exec(tb, "postgres", `CREATE DATABASE `+Restored+` OWNER chatserver`)
	c.load(tb, Restored, dump)
	c.exec(tb, "postgres", `DROP DATABASE `+naming.DatabaseName+` WITH (FORCE)`)
	see()
	c.exec(tb, "postgres", `ALTER DATABASE `+Restored+` RENAME TO `+naming.DatabaseName)
}

// Beside makes another, empty cluster of the same authority.
func (c *Cluster) Beside(tb testing.TB) *Cluster {
	tb.Helper()
	other := c.directoryBeside(tb)
	other.initialise(tb)
	other.Start(tb)
	return other
}

func (c *Cluster) directoryBeside(tb testing.TB) *Cluster {
	tb.Helper()
	other := newDirectory(tb, c.CA)
	tb.Cleanup(other.discard)
	return other
}

// Copy copies the cluster's files while it is stopped for a moment. The copy is not started; with a signal file,
// standby.signal or recovery.signal, it will begin as that.
func (c *Cluster) Copy(tb testing.TB, signal string, settings ...string) *Cluster {
	tb.Helper()
	other := c.directoryBeside(tb)
	c.Kill()
	cp := c.command("cp", "-a", c.file("data"), other.file("data"))
	cp.Path = "/bin/cp"
	if out, err := cp.CombinedOutput(); err != nil {
		tb.Fatalf("copy a cluster: %v\n%s", err, out)
	}
	c.Start(tb, settings...)
	_ = os.Remove(filepath.Join(other.file("data"), "postmaster.pid"))
	if signal != "" {
		file := filepath.Join(other.file("data"), signal)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			tb.Fatal(err)
		}
		c.own(tb, file)
	}
	return other
}

// Archiving are the settings of a cluster that keeps its log in a directory, and Recovering those of one that reads it
// up to a named point.
func (c *Cluster) Archiving(tb testing.TB) (settings []string, archive string) {
	tb.Helper()
	archive = c.file("archive")
	if err := os.MkdirAll(archive, 0o700); err != nil {
		tb.Fatal(err)
	}
	c.own(tb, archive)
	return []string{"archive_mode=on", "archive_command=cp %p " + archive + "/%f"}, archive
}

// Recovering are the settings with which a copy follows an archive to a named point and goes on from there.
func Recovering(archive, point string) []string {
	return []string{
		"restore_command=cp " + archive + "/%f %p", "recovery_target_name=" + point, "recovery_target_action=promote",
	}
}

// Archive ends the current piece of the log and waits until it is in the archive.
func (c *Cluster) Archive(tb testing.TB) {
	tb.Helper()
	c.exec(tb, "postgres", `SELECT pg_switch_wal()`, `CHECKPOINT`)
	c.waitFor(tb, `SELECT archived_count > 0 AND last_archived_wal >=
		pg_walfile_name((SELECT redo_lsn FROM pg_control_checkpoint()) - 16777216) FROM pg_stat_archiver`)
}

// MarkPoint names the present state in the log.
func (c *Cluster) MarkPoint(tb testing.TB, name string) {
	tb.Helper()
	c.exec(tb, "postgres", `SELECT pg_create_restore_point('`+name+`')`)
}

// Promote makes a standby, or a cluster that recovers, one that is written to, and waits until it is.
func (c *Cluster) Promote(tb testing.TB) {
	tb.Helper()
	c.exec(tb, "postgres", `SELECT pg_promote(false)`)
	c.WaitWritable(tb)
}

// WaitWritable waits until the cluster has recovered.
func (c *Cluster) WaitWritable(tb testing.TB) {
	tb.Helper()
	c.waitFor(tb, `SELECT NOT pg_is_in_recovery()`)
}

// waitFor asks until the answer is yes.
func (c *Cluster) waitFor(tb testing.TB, question string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := c.connect(ctx, "postgres")
	if err != nil {
		tb.Fatalf("connect as administrator: %v", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for yes := false; !yes; time.Sleep(20 * time.Millisecond) {
		if err := conn.QueryRow(ctx, question).Scan(&yes); err != nil {
			tb.Fatalf("%s: %v", question, err)
		}
	}
}
