// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// RotationStatus is how old the tenant's keys are and how far their rotation is.
type RotationStatus struct {
	// Since is when the key of each keyset came into use that seals or indexes now.
	Since map[seal.Keyset]time.Time
	// Remaining counts, by keyset and table, the rows that still need a key which is to go; 0 if none is.
	Remaining map[seal.Keyset]map[string]int64
	// Rotating says whether a keyset's rotation is under way.
	Rotating bool
	// Subjects counts the visitors whose own keys are to be rotated.
	Subjects int64
}

// RotationStatus asks the database.
func (s *Store) RotationStatus(ctx context.Context) (RotationStatus, error) {
	var sealing, index time.Time
	out := RotationStatus{Remaining: map[seal.Keyset]map[string]int64{seal.Index: {"agent": 0}, seal.Sealing: {}}}
	for i := range sealedTables {
		out.Remaining[seal.Sealing][sealedTables[i].name] = 0
	}
	err := s.pool.QueryRow(ctx, `SELECT sealing_at, index_at, (SELECT count(*) FROM subject_rotation) FROM tenant_keyset`).
		Scan(&sealing, &index, &out.Subjects)
	if err != nil {
		return RotationStatus{}, fmt.Errorf("read age of keys: %w", err)
	}
	out.Since = map[seal.Keyset]time.Time{seal.Sealing: sealing, seal.Index: index}
	rotations, err := readRotations(ctx, s.pool, 0)
	if err != nil {
		return RotationStatus{}, err
	}
	for i := range rotations {
		out.Rotating = true
		if rotations[i].Phase == phaseRequested {
			continue
		}
		if out.Remaining[rotations[i].Keyset], err = leftUnder(ctx, s.pool, &rotations[i]); err != nil {
			return RotationStatus{}, err
		}
	}
	return out, nil
}

// readRotations lists what is under way, and whether each phase has lasted for settle.
func readRotations(ctx context.Context, q rowsQuerier, settle time.Duration) ([]rotation, error) {
	rows, err := q.Query(ctx, `
		SELECT keyset, phase, key, retiring, revision, at <= clock_timestamp() - make_interval(secs => $1)
		FROM keyset_rotation ORDER BY requested_at, keyset`, interval(settle))
	if err != nil {
		return nil, fmt.Errorf("read rotations: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rotation])
	if err != nil {
		return nil, fmt.Errorf("read rotations: %w", err)
	}
	return out, nil
}

// rowsQuerier is a pool, a connection or a transaction.
type rowsQuerier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}
