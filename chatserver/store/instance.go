// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// claimInstance makes the database this tenant's on first use and refuses another tenant's. The first epoch is the time
// of creation, so that a database made anew is never taken for the one before.
func (s *Store) claimInstance(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO instance (tenant, epoch, home)
		SELECT $1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, `+home+`
		ON CONFLICT DO NOTHING`, s.config.Tenant)
	if err != nil {
		return fmt.Errorf("claim database: %w", err)
	}
	var tenant string
	if err := s.pool.QueryRow(ctx, `SELECT tenant FROM instance WHERE singleton`).Scan(&tenant); err != nil {
		return fmt.Errorf("read database owner: %w", err)
	}
	if tenant != s.config.Tenant {
		return fmt.Errorf("%w: database belongs to tenant %q, not %q", ErrMisconfigured, tenant, s.config.Tenant)
	}
	_, err = s.recognise(ctx, s.pool)
	return err
}

// Epoch reads which history the database is in. It is another one after an earlier state was restored.
func (s *Store) Epoch(ctx context.Context) (int64, error) { return s.recognise(ctx, s.pool) }

// KnownEpoch is the highest epoch met, without asking. Whatever another method has just read was read on a connection
// that had been asked, so a database that was replaced meanwhile is already known by its new epoch.
func (s *Store) KnownEpoch() int64 { return s.epoch.Load() }

// greet asks a new connection which history it leads to, before anything is read or written there. Until the database
// is claimed there is nothing to ask.
func (s *Store) greet(ctx context.Context, conn *pgx.Conn) error {
	if s.epoch.Load() == 0 {
		return nil
	}
	_, err := s.recognise(ctx, conn)
	return err
}
