// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// rows reads every event there is, and every conversation's counter.
func (d *database) rows(ctx context.Context) ([]oracle.Row, map[uuid.UUID]int64, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := readRows(ctx, conn)
	if err != nil {
		return nil, nil, err
	}
	heads := map[uuid.UUID]int64{}
	found, err := conn.Query(ctx, `SELECT id, head FROM conversation`)
	if err != nil {
		return nil, nil, fmt.Errorf("read heads: %w", err)
	}
	var id uuid.UUID
	var head int64
	_, err = pgx.ForEachRow(found, []any{&id, &head}, func() error { heads[id] = head; return nil })
	return rows, heads, err
}

func readRows(ctx context.Context, conn *pgx.Conn) ([]oracle.Row, error) {
	found, err := conn.Query(ctx, `SELECT conversation, seq, id, author, client_id FROM event ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[oracle.Row])
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return rows, nil
}

// existing are the ids of everything and everybody there is.
func (d *database) existing(ctx context.Context) (map[uuid.UUID]bool, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	found, err := conn.Query(ctx, `SELECT id FROM visitor UNION ALL SELECT id FROM agent
		UNION ALL SELECT id FROM conversation UNION ALL SELECT id FROM event`)
	if err != nil {
		return nil, fmt.Errorf("read ids: %w", err)
	}
	ids := map[uuid.UUID]bool{}
	var id uuid.UUID
	_, err = pgx.ForEachRow(found, []any{&id}, func() error { ids[id] = true; return nil })
	return ids, err
}

// keepLog copies PostgreSQL's log to where the replicas' are.
func (d *database) keepLog(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(d.socket, "log"))
	if err != nil {
		t.Errorf("read PostgreSQL's log: %v", err)
		return
	}
	kept := filepath.Join(t.ArtifactDir(), fmt.Sprintf("postgresql-%d.log", d.logs))
	d.logs++
	if err := os.WriteFile(kept, log, 0o600); err != nil { //nolint:gosec // Where the caller of the tests wants it.
		t.Errorf("keep PostgreSQL's log: %v", err)
	}
}
