// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// database is the PostgreSQL server with the means to break it.
type database struct {
	*storetest.Database
	// admin is how an administrator connects: over the private socket, past every link.
	admin string
	// socket and data are the server's folders.
	socket, data string
	// disk is the mount that data is on, "" if it is no disk of its own.
	disk string
	// held are the connections of a fault that takes something away until it is healed.
	held []*pgx.Conn

	// backup is a dump that will be restored, of which everything acknowledged by mark is in it.
	backup string
	mark   *oracle.Mark
	// standby is a cluster that will be promoted, nil if there is none.
	standby *storetest.Cluster
	// logs counts those that were kept.
	logs int
}

// settings are those that a tenant's database is durable by, whatever suits other tests; its write-ahead log must leave
// room on a small disk.
var settings = []string{"fsync=on", "full_page_writes=on", "synchronous_commit=on", "max_wal_size=96MB"}

func newDatabase(t *testing.T) *database {
	t.Helper()
	d := &database{disk: os.Getenv(smallDisk)}
	if d.disk != "" {
		t.Setenv("TMPDIR", d.disk)
	}
	d.Database = storetest.New(t)
	d.Cluster.Kill()
	d.Cluster.Start(t, settings...)
	d.find(t)
	return d
}

// find learns where the server is.
func (d *database) find(t *testing.T) {
	t.Helper()
	conn := d.Admin(t)
	query := `SELECT current_setting('unix_socket_directories'), current_setting('data_directory')`
	if err := conn.QueryRow(t.Context(), query).Scan(&d.socket, &d.data); err != nil {
		t.Fatalf("find the database's folders: %v", err)
	}
	d.admin = conn.Config().ConnString()
	// Not kept: it would have the database in use.
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// adminTimeout bounds what an administrator does, reconnects while PostgreSQL recovers included.
const adminTimeout = 30 * time.Second

// connect opens an administrator's connection, also if PostgreSQL is recovering and needs a moment.
func (d *database) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, d.admin)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// recovered waits until PostgreSQL takes connections, for programs that do not.
func (d *database) recovered(ctx context.Context) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// exec runs a statement as administrator, which may be done twice: again if it was the loser of a deadlock, or if
// PostgreSQL ended the session.
func (d *database) exec(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	for {
		err := d.execOnce(ctx, statement)
		if err == nil || ctx.Err() != nil || !mayBeTriedAgain(err) {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (d *database) execOnce(ctx context.Context, statement string) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

func mayBeTriedAgain(err error) bool {
	const deadlock, crashed = "40P01", "57P02"
	var refusal *pgconn.PgError
	return !errors.As(err, &refusal) || refusal.Code == deadlock || refusal.Code == crashed
}

// postmaster is the process id of the server.
func (d *database) postmaster() (int, error) {
	content, err := os.ReadFile(filepath.Join(d.data, "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("find PostgreSQL's process: %w", err)
	}
	first, _, _ := bytes.Cut(content, []byte("\n"))
	return strconv.Atoi(string(first))
}

// family is the server's process and those it started.
func (d *database) family() ([]int, error) {
	parent, err := d.postmaster()
	if err != nil {
		return nil, err
	}
	file := fmt.Sprintf("/proc/%d/task/%d/children", parent, parent)
	children, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("find PostgreSQL's children: %w", err)
	}
	family := []int{parent}
	for _, field := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		family = append(family, pid)
	}
	return family, nil
}

func (d *database) signalFamily(s syscall.Signal) error {
	family, err := d.family()
	for _, pid := range family {
		if failed := syscall.Kill(pid, s); failed != nil && !errors.Is(failed, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("signal %d: %w", pid, failed))
		}
	}
	return err
}

// hold keeps a connection until release.
func (d *database) hold(conn *pgx.Conn) { d.held = append(d.held, conn) }

func (d *database) release(ctx context.Context) {
	for _, conn := range d.held {
		_ = conn.Close(ctx)
	}
	d.held = nil
}
