// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
)

// claimInstance makes the database this tenant's on first use and refuses another tenant's. The first epoch is the time
// of creation, so that a database made anew is never taken for the one before.
func (s *Store) claimInstance(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO instance (tenant, epoch)
		VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
		ON CONFLICT DO NOTHING`, s.config.Tenant)
	if err != nil {
		return fmt.Errorf("claim database: %w", err)
	}
	var tenant string
	if err := s.pool.QueryRow(ctx, `SELECT tenant FROM instance`).Scan(&tenant); err != nil {
		return fmt.Errorf("read database owner: %w", err)
	}
	if tenant != s.config.Tenant {
		return fmt.Errorf("%w: database belongs to tenant %q, not %q", ErrMisconfigured, tenant, s.config.Tenant)
	}
	return nil
}

// Epoch names the history this database is in; it changes only when an earlier state was restored.
func (s *Store) Epoch(ctx context.Context) (int64, error) {
	var epoch int64
	if err := s.pool.QueryRow(ctx, `SELECT epoch FROM instance`).Scan(&epoch); err != nil {
		return 0, fmt.Errorf("read epoch: %w", err)
	}
	return epoch, nil
}
