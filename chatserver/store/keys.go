// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// openKeys opens the tenant's keysets, made by whichever replica comes first.
func (s *Store) openKeys(ctx context.Context) error {
	fresh, err := seal.NewTenant(s.config.KEK, s.config.Tenant)
	if err != nil {
		return fmt.Errorf("make tenant keysets: %w", err)
	}
	_, err = s.pool.Exec(ctx, `
		INSERT INTO tenant_keyset (kek_generation, sealing, index) VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`, s.config.KEKGeneration, fresh.Sealing, fresh.Index)
	if err != nil {
		return fmt.Errorf("store tenant keysets: %w", err)
	}
	var wrapped seal.Wrapped
	var generation int64
	err = s.pool.QueryRow(ctx, `SELECT kek_generation, sealing, index FROM tenant_keyset`).
		Scan(&generation, &wrapped.Sealing, &wrapped.Index)
	if err != nil {
		return fmt.Errorf("read tenant keysets: %w", err)
	}
	s.keys, err = seal.OpenTenant(s.config.KEK, s.config.Tenant, wrapped)
	if err != nil {
		return fmt.Errorf("%w: open tenant keysets, wrapped by key generation %d, with generation %d: %w",
			ErrMisconfigured, generation, s.config.KEKGeneration, err)
	}
	return nil
}

// subject returns the key of a visitor, from memory if it was used lately.
func (s *Store) subject(ctx context.Context, visitor uuid.UUID) (*seal.Key, error) {
	if key, ok := s.cachedSubject(visitor); ok {
		return key, nil
	}
	var wrapped []byte
	err := s.pool.QueryRow(ctx, `SELECT wrapped FROM subject_key WHERE visitor = $1`, visitor).Scan(&wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("subject key: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read subject key: %w", err)
	}
	return s.openSubject(visitor, wrapped)
}

func (s *Store) cachedSubject(visitor uuid.UUID) (*seal.Key, bool) {
	known, _ := s.subjects.Get(visitor)
	key, ok := known.(*seal.Key)
	return key, ok
}

func (s *Store) openSubject(visitor uuid.UUID, wrapped []byte) (*seal.Key, error) {
	if key, ok := s.cachedSubject(visitor); ok {
		return key, nil
	}
	key, err := s.keys.OpenSubject(visitor, wrapped)
	if err != nil {
		return nil, fmt.Errorf("open subject key: %w", err)
	}
	s.subjects.Add(visitor, key)
	return key, nil
}
