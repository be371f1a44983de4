// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/test/chaos/link"
)

const ms = time.Millisecond

// allKinds is everything that can fail; a disk of PostgreSQL's own can fill.
func allKinds(ownDisk bool) []kind {
	kinds := slices.Concat(programKinds(), linkKinds(), databaseKinds(), replacementKinds(), proxyKinds())
	if ownDisk {
		kinds = append(kinds, kind{"has no room on its disk", 2, postgres, time.Second, 6 * time.Second, fillDisk, emptyDisk})
	}
	return kinds
}

// programKinds are failures of a replica's process.
func programKinds() []kind {
	end := func(s syscall.Signal) func(*world, *fault) error {
		return func(w *world, f *fault) error { w.replicas[f.replica].end(s, f.lasts); return nil }
	}
	signal := func(s syscall.Signal) func(*world, *fault) error {
		return func(w *world, f *fault) error { w.replicas[f.replica].signal(s); return nil }
	}
	const drained = drainSeconds * time.Second
	return []kind{
		// It stays away for as long as the fault lasts: a new process needs its time.
		{"is killed", 8, program, 200 * ms, 4 * time.Second, end(syscall.SIGKILL), nil},
		{"is drained and restarted", 4, program, drained, drained + time.Second, func(w *world, f *fault) error {
			w.replicas[f.replica].end(syscall.SIGTERM, 500*ms)
			return nil
		}, nil},
		{"is killed while it drains", 2, program, 300 * ms, 3 * time.Second, end(syscall.SIGTERM), end(syscall.SIGKILL)},
		{"gets a new certificate", 1, program, 0, 0, renewCertificate, nil},
		{"hangs", 3, program, 300 * ms, 8 * time.Second, signal(syscall.SIGSTOP), signal(syscall.SIGCONT)},
	}
}

// renewCertificate replaces the certificate files under a running server.
func renewCertificate(w *world, f *fault) error {
	dir := filepath.Dir(w.replicas[f.replica].config.TLS.CertFile)
	w.ca.Write(w.t, dir, certtest.Leaf{CommonName: "renewed", Hosts: []string{servertest.Host}})
	return nil
}

// linkKinds are failures of the network before and behind a replica.
func linkKinds() []kind {
	var kinds []kind
	for _, side := range []struct {
		part part
		name string
		of   func(*replica) *link.Link
	}{
		{front, "clients", func(r *replica) *link.Link { return r.front }},
		{back, "PostgreSQL", func(r *replica) *link.Link { return r.back }},
	} {
		do := func(act func(*link.Link)) func(*world, *fault) error {
			return func(w *world, f *fault) error { act(side.of(w.replicas[f.replica])); return nil }
		}
		heal := do((*link.Link).Heal)
		kinds = append(kinds,
			kind{"is cut off from " + side.name, 3, side.part, 200 * ms, 6 * time.Second, do((*link.Link).Cut), heal},
			kind{"and " + side.name + " lose sight of each other", 3, side.part, 200 * ms, 12 * time.Second,
				do((*link.Link).Hold), heal},
			kind{"and " + side.name + ": what the server answers is lost", 3, side.part, 100 * ms, 5 * time.Second,
				do((*link.Link).LoseReplies), heal},
			kind{"and " + side.name + ": connections are reset", 3, side.part, 0, 0, do((*link.Link).Reset), nil},
			kind{"and " + side.name + ": connections stay half-open", 1, side.part, 0, 0, do((*link.Link).Abandon), nil},
		)
	}
	return kinds
}

// databaseKinds are failures of PostgreSQL.
func databaseKinds() []kind {
	startAgain := func(w *world, _ *fault) error { w.db.Cluster.Start(w.t, settings...); return nil }
	release := func(w *world, _ *fault) error { w.db.release(w.ctx); return nil }
	return []kind{
		{"is asked for new keys", 4, postgres, 0, 0, askForKeys, nil},
		{"stops at once", 4, postgres, 100 * ms, 5 * time.Second, func(w *world, _ *fault) error {
			w.db.Cluster.Kill()
			return nil
		}, startAgain},
		{"shuts down and comes back", 3, postgres, 0, 2 * time.Second, shutDown, startAgain},
		{"loses a backend to kill -9", 3, postgres, 0, 0, killBackend, nil},
		{"ends half of the sessions", 3, postgres, 0, 0, endSessions, nil},
		{"hangs", 2, postgres, 500 * ms, 8 * time.Second, func(w *world, _ *fault) error {
			return w.db.signalFamily(syscall.SIGSTOP)
		}, func(w *world, _ *fault) error { return w.db.signalFamily(syscall.SIGCONT) }},
		{"has no connection left", 2, postgres, time.Second, 6 * time.Second, takeConnections, release},
		{"has its events locked", 2, postgres, 500 * ms, 8 * time.Second, lockEvents, release},
		{"is read-only, as a standby is", 2, postgres, 500 * ms, 5 * time.Second, func(w *world, _ *fault) error {
			return w.db.setReadOnly(w.ctx, true)
		}, func(w *world, _ *fault) error { return w.db.setReadOnly(w.ctx, false) }},
	}
}

// shutDown stops PostgreSQL as an administrator does: sessions are ended, everything is flushed.
func shutDown(w *world, _ *fault) error {
	pid, err := w.db.postmaster()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	for deadline := time.Now().Add(adminTimeout); syscall.Kill(pid, 0) == nil && time.Now().Before(deadline); {
		pause(w.ctx, 20*ms)
	}
	w.db.Cluster.Kill()
	return nil
}

// killBackend makes PostgreSQL end every session and recover. Where no replica has a session, as when all are cut off,
// it is the administrator's own that is killed.
func killBackend(w *world, _ *fault) error {
	conn, err := w.db.connect(w.ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(w.ctx) }()
	query := `SELECT pid FROM pg_stat_activity WHERE usename = 'chatserver' OR pid = pg_backend_pid()
		ORDER BY pid = pg_backend_pid(), random()`
	found, err := conn.Query(w.ctx, query)
	if err != nil {
		return fmt.Errorf("find a backend: %w", err)
	}
	pids, err := pgx.CollectRows(found, pgx.RowTo[int])
	if err != nil {
		return fmt.Errorf("find a backend: %w", err)
	}
	for _, pid := range pids {
		if err = syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			break // Another session may just have ended by itself.
		}
	}
	if err != nil {
		return fmt.Errorf("kill a backend: %w", err)
	}
	return awaitCrash(w.ctx, conn)
}

// awaitCrash waits until PostgreSQL has ended this session too: whoever connects afterwards waits for the recovery.
func awaitCrash(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := conn.Exec(ctx, `SELECT pg_sleep(0.01)`); err != nil && ctx.Err() == nil {
			return nil // The end of the session is what is waited for.
		}
	}
	return fmt.Errorf("PostgreSQL goes on: %w", ctx.Err())
}

func endSessions(w *world, _ *fault) error {
	return w.db.exec(w.ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = 'chatserver' AND random() < 0.5`)
}

// takeConnections takes every connection, those for administrators last, and ends the replicas' own.
func takeConnections(w *world, _ *fault) error {
	first, err := w.db.connect(w.ctx)
	if err != nil {
		return err
	}
	w.db.hold(first)
	if _, err := first.Exec(w.ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = 'chatserver'`); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	for range 200 {
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		conn, err := pgx.Connect(ctx, w.db.admin)
		cancel()
		if err != nil {
			return nil //nolint:nilerr // There is none left, which is the point.
		}
		w.db.hold(conn)
	}
	return nil
}

// lockEvents keeps everybody else from reading and writing events.
func lockEvents(w *world, _ *fault) error {
	conn, err := w.db.connect(w.ctx)
	if err != nil {
		return err
	}
	w.db.hold(conn)
	// A replica that hangs or cannot be reached may be in the middle of a transaction, which PostgreSQL ends after 10 s.
	_, err = conn.Exec(w.ctx, `SET lock_timeout = '40s'; BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE`)
	return err
}

func (d *database) setReadOnly(ctx context.Context, on bool) error {
	for _, statement := range []string{
		// An administrator's own session must be able to take it back.
		fmt.Sprintf(`ALTER SYSTEM SET default_transaction_read_only = %t`, on), `SELECT pg_reload_conf()`,
	} {
		if err := d.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
