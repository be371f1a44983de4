// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

// keysetRecord is the row of the tenant's keysets.
type keysetRecord struct {
	// revision changes with every change of the row.
	revision int64
	// generation and kek are those of the key that wrapped.
	generation int64
	kek        string
	wrapped    seal.Wrapped
	wrappedAt  time.Time
}

// readKeysets reports ErrNotFound while there are none.
func (s *Store) readKeysets(ctx context.Context) (r keysetRecord, err error) {
	err = s.pool.QueryRow(ctx,
		`SELECT revision, kek_generation, kek, sealing, index, wrapped_at FROM tenant_keyset`).
		Scan(&r.revision, &r.generation, &r.kek, &r.wrapped.Sealing, &r.wrapped.Index, &r.wrappedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("tenant keysets: %w", ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("read tenant keysets: %w", err)
	}
	return r, nil
}

// replaceKeysets puts wrapped in the place of old, unless another replica changed that meanwhile.
func (s *Store) replaceKeysets(
	ctx context.Context, old keysetRecord, by kek.Key, wrapped seal.Wrapped,
) (replaced bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE tenant_keyset
		SET kek_generation = $2, kek = $3, sealing = $4, index = $5, revision = revision + 1, wrapped_at = now()
		WHERE revision = $1`, old.revision, by.Generation, by.Name, wrapped.Sealing, wrapped.Index)
	if err != nil {
		return false, fmt.Errorf("store tenant keysets: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// ensureKeysets makes the tenant's keysets, unless there are some.
func (s *Store) ensureKeysets(ctx context.Context) (keysetRecord, error) {
	record, err := s.readKeysets(ctx)
	if !errors.Is(err, ErrNotFound) {
		return record, err
	}
	newest := s.config.Keys.Newest()
	fresh, err := seal.NewTenant(ctx, newest, s.config.Tenant)
	if err != nil {
		return record, fmt.Errorf("make tenant keysets: %w", err)
	}
	// A key that may encrypt but not decrypt must not be noticed only after something was sealed.
	if _, err := seal.OpenTenant(ctx, newest, s.config.Tenant, fresh); err != nil {
		return record, fmt.Errorf("open again the tenant keysets made: %w", err)
	}
	_, err = s.pool.Exec(ctx, `
		INSERT INTO tenant_keyset (kek_generation, kek, sealing, index) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, newest.Generation, newest.Name, fresh.Sealing, fresh.Index)
	if err != nil {
		return record, fmt.Errorf("store tenant keysets: %w", err)
	}
	return s.readKeysets(ctx)
}
