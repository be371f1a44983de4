// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
)

// ReloadServer makes PostgreSQL reread its files, its renewed certificate among them. The role needs EXECUTE on
// pg_reload_conf.
func (s *Store) ReloadServer(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `SELECT pg_reload_conf()`); err != nil {
		return fmt.Errorf("reload database configuration: %w", err)
	}
	return nil
}

// DeleteExpired removes sessions and invitations that no longer open anything.
func (s *Store) DeleteExpired(ctx context.Context) error {
	for _, table := range []string{"agent_session", "invitation"} {
		if _, err := s.pool.Exec(ctx, `DELETE FROM `+table+` WHERE expires_at < now()`); err != nil {
			return fmt.Errorf("delete expired rows of %s: %w", table, err)
		}
	}
	return nil
}
