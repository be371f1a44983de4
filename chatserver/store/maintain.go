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

// DeleteExpired removes sessions and invitations that no longer open anything, and visitors who never said a word and
// can no longer come back, with their keys.
func (s *Store) DeleteExpired(ctx context.Context) error {
	const silent = `expires_at < now() AND NOT EXISTS (SELECT FROM conversation c WHERE c.visitor = v.id)`
	for what, statement := range map[string]string{
		"sessions":    `DELETE FROM agent_session WHERE expires_at < now()`,
		"invitations": `DELETE FROM invitation WHERE expires_at < now()`,
		"visitors": `WITH gone AS (DELETE FROM subject_key k USING visitor v WHERE k.visitor = v.id AND v.` + silent + `)
			DELETE FROM visitor v WHERE ` + silent,
	} {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("delete expired %s: %w", what, err)
		}
	}
	return nil
}
