// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Visitor is an anonymous visitor, known by a token of which only the hash is stored.
type Visitor struct {
	ID        uuid.UUID
	ExpiresAt time.Time
}

// CreateVisitor makes a visitor with their own key, valid for ttl.
func (s *Store) CreateVisitor(ctx context.Context, tokenHash [32]byte, ttl time.Duration) (Visitor, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Visitor{}, fmt.Errorf("make visitor id: %w", err)
	}
	return withKeys(ctx, s, func(keys *heldKeys) (Visitor, error) {
		return s.insertVisitor(ctx, keys, id, tokenHash, ttl)
	})
}

func (s *Store) insertVisitor(
	ctx context.Context, keys *heldKeys, id uuid.UUID, tokenHash [32]byte, ttl time.Duration,
) (Visitor, error) {
	wrapped, err := keys.NewSubject(id)
	if err != nil {
		return Visitor{}, fmt.Errorf("make subject key: %w", err)
	}
	v := Visitor{ID: id}
	err = s.pool.QueryRow(ctx, `
		WITH v AS (
			INSERT INTO visitor (id, token_hash, expires_at)
			VALUES ($1, $2, now() + make_interval(secs => $3)) RETURNING id, expires_at
		), k AS (
			INSERT INTO subject_key (visitor, wrapped) SELECT id, $4 FROM v
		)
		SELECT expires_at FROM v`, id, tokenHash[:], interval(ttl), wrapped).Scan(&v.ExpiresAt)
	if err != nil {
		return Visitor{}, fmt.Errorf("create visitor: %w", err)
	}
	return v, nil
}

// VisitorByToken finds the visitor of a token that has not expired, or reports ErrNotFound.
func (s *Store) VisitorByToken(ctx context.Context, tokenHash [32]byte) (Visitor, error) {
	var v Visitor
	err := s.pool.QueryRow(ctx, `SELECT id, expires_at FROM visitor WHERE token_hash = $1 AND expires_at > now()`,
		tokenHash[:]).Scan(&v.ID, &v.ExpiresAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Visitor{}, fmt.Errorf("visitor: %w", ErrNotFound)
	}
	if err != nil {
		return Visitor{}, fmt.Errorf("find visitor: %w", err)
	}
	return v, nil
}
