// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Recreate gives the next chat server an empty database and exactly the rights a tenant's has, and settles what the
// last one left to be written.
func (s *Server) Recreate(ctx context.Context) error {
	for _, statement := range []string{
		`DO $$ BEGIN CREATE ROLE chatserver LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`DROP DATABASE IF EXISTS chat WITH (FORCE)`,
		`CREATE DATABASE chat OWNER chatserver`,
		`CHECKPOINT`,
	} {
		if _, err := s.admin.Exec(ctx, statement); err != nil {
			return fmt.Errorf("recreate database: %w", err)
		}
	}
	conn, err := s.connect(ctx, "chat")
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `GRANT EXECUTE ON FUNCTION pg_reload_conf() TO chatserver`)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("recreate database: %w", err)
	}
	return nil
}

// RequireDurable returns an error if the server does not keep its promises, whatever the settings' file says.
func (s *Server) RequireDurable(ctx context.Context) error {
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := s.admin.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value); err != nil {
			return fmt.Errorf("read setting %s: %w", name, err)
		}
		if value != "on" {
			return fmt.Errorf("the database runs with %s=%s: measuring it would mean nothing", name, value)
		}
	}
	return nil
}

// WALFlushes counts the times the write-ahead log was forced to disk since the server started. Backends report about
// once a second, so differences are good over several seconds only.
func (s *Server) WALFlushes(ctx context.Context) (n int64, err error) {
	if err := s.admin.QueryRow(ctx, `SELECT wal_sync FROM pg_stat_wal`).Scan(&n); err != nil {
		return 0, fmt.Errorf("read WAL statistics: %w", err)
	}
	return n, nil
}

// Texts returns the one text column of a query on the chat server's database.
func (s *Server) Texts(ctx context.Context, query string) ([]string, error) {
	conn, err := s.connect(ctx, "chat")
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read database: %w", err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read database: %w", err)
	}
	return texts, nil
}
