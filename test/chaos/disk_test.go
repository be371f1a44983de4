// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// fillDisk leaves no room on PostgreSQL's disk.
func fillDisk(w *world, _ *fault) error {
	file, err := os.Create(w.db.filler())
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	defer func() { _ = file.Close() }()
	const large, small = 1 << 20, 4 << 10
	for _, size := range []int{large, small} {
		for chunk := make([]byte, size); err == nil; {
			_, err = file.Write(chunk)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("fill the disk: %w", err)
		}
		err = nil
	}
	return nil
}

// emptyDisk makes room again. PostgreSQL goes down for good if it had no room to recover; whoever makes room starts it.
func emptyDisk(w *world, _ *fault) error {
	if err := os.Remove(w.db.filler()); err != nil {
		return fmt.Errorf("make room on the disk: %w", err)
	}
	const moment = time.Second
	pause(w.ctx, moment)
	// It may still be about to give up: that it takes a connection says that it is not.
	ctx, cancel := context.WithTimeout(w.ctx, adminTimeout)
	defer cancel()
	for w.db.alive() {
		conn, err := pgx.Connect(ctx, w.db.admin)
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("connect now that there is room: %w", err)
		}
		pause(ctx, 100*ms)
	}
	w.t.Logf("PostgreSQL gave up for want of room, and is started again")
	w.db.Cluster.Kill()
	w.db.Cluster.Start(w.t, settings...)
	return nil
}

func (d *database) filler() string { return filepath.Join(d.disk, "filler") }

// alive tells whether the server's process is there.
func (d *database) alive() bool {
	pid, err := d.postmaster()
	return err == nil && syscall.Kill(pid, 0) == nil
}
