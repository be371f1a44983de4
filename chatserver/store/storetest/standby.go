// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import "testing"

// Standby starts a cluster that follows this one, with settings. From then on nothing that this one commits is answered
// before both have it. It is Promote that makes it a primary. It ends with the test.
func (c *Cluster) Standby(tb testing.TB, settings ...string) *Cluster {
	tb.Helper()
	other := c.directoryBeside(tb)
	backup := c.command("pg_basebackup", "-D", other.file("data"), "-h", c.dir, "-p", portString(c.Port), "-U", "postgres",
		"--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf", "--no-sync")
	if out, err := backup.CombinedOutput(); err != nil {
		tb.Fatalf("copy a running cluster: %v\n%s", err, out)
	}
	other.Start(tb, settings...)
	c.exec(tb, "postgres", `ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`)
	const inSync = `SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`
	c.waitFor(tb, inSync+`)`)
	// It is the checkpointer that tells everybody to wait for the standby, and it reads the setting before it begins a
	// checkpoint: one that was asked for now is over when all do.
	c.exec(tb, "postgres", `CHECKPOINT`)
	// What was answered before that has arrived too.
	c.waitFor(tb, inSync+` AND flush_lsn >= pg_current_wal_flush_lsn())`)
	return other
}

// Remove ends the server at once and removes what it stored.
func (c *Cluster) Remove() {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == c {
		shared.cluster = nil
	}
	c.discard()
}
