// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// Agent is a person who answers visitors.
type Agent struct {
	ID          uuid.UUID
	DisplayName redacted.String
	// PasswordHash is empty until an invitation was redeemed.
	PasswordHash redacted.String
}

// EnsureAgent returns the account of an address, made if there is none. An existing account takes the display name.
func (s *Store) EnsureAgent(ctx context.Context, email, displayName redacted.String) (Agent, error) {
	a, err := withKeys(ctx, s, func(keys *heldKeys) (a Agent, err error) {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			a, err = ensureAgent(ctx, tx, keys, email, displayName)
			return err
		})
		return a, err
	})
	if err != nil {
		return Agent{}, fmt.Errorf("ensure agent: %w", err)
	}
	return a, nil
}

func ensureAgent(ctx context.Context, tx pgx.Tx, keys *heldKeys, email, displayName redacted.String) (Agent, error) {
	if err := keys.hold(ctx, tx); err != nil {
		return Agent{}, err
	}
	id, err := findAgent(ctx, tx, keys, email)
	if errors.Is(err, pgx.ErrNoRows) {
		id, err = reserveAgent(ctx, tx, keys, email)
	}
	if err != nil {
		return Agent{}, err
	}
	name, err := keys.Seal(agentPlace("display_name", id), displayName)
	if err != nil {
		return Agent{}, err
	}
	_, err = tx.Exec(ctx, `UPDATE agent SET display_name = $2 WHERE id = $1`, id, name)
	return Agent{ID: id, DisplayName: displayName}, err
}

// hold keeps the keysets from changing until the transaction ends, and reports errStale if they already did. While keys
// change, one address has an index under the old key and one under the new, which no constraint can know to be the
// same: but whoever stored it under the old one ended before the new one came into use, and is found.
func (k *heldKeys) hold(ctx context.Context, tx pgx.Tx) error {
	tag, err := tx.Exec(ctx, `SELECT FROM tenant_keyset WHERE revision = $1 FOR SHARE`, k.revision)
	if err == nil && tag.RowsAffected() == 0 {
		return errStale
	}
	return err
}

// findAgent looks for an account, whichever key its index was computed with.
func findAgent(ctx context.Context, tx pgx.Tx, keys *heldKeys, email redacted.String) (id uuid.UUID, err error) {
	indexes, err := keys.BlindIndexes("agent", "email", email)
	if err != nil {
		return uuid.Nil, err
	}
	err = tx.QueryRow(ctx, `SELECT id FROM agent WHERE email_index = ANY($1) FOR UPDATE`, indexes).Scan(&id)
	return id, err
}

// reserveAgent inserts the account unless another did meanwhile. The caller seals the display name for the id that won.
func reserveAgent(ctx context.Context, tx pgx.Tx, keys *heldKeys, email redacted.String) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make agent id: %w", err)
	}
	index, err := keys.BlindIndex("agent", "email", email)
	if err != nil {
		return uuid.Nil, err
	}
	sealed, err := keys.Seal(agentPlace("email", id), email)
	if err != nil {
		return uuid.Nil, err
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO agent (id, email_index, email_index_key, email, display_name) VALUES ($1, $2, $3, $4, '')
		ON CONFLICT (email_index) DO UPDATE SET email_index = excluded.email_index RETURNING id`,
		id, index, keys.KeyIDs(seal.Index).Primary, sealed).Scan(&id)
	return id, err
}

// AgentByEmail finds an account by its exact address, or reports ErrNotFound.
func (s *Store) AgentByEmail(ctx context.Context, email redacted.String) (Agent, error) {
	return withKeys(ctx, s, func(keys *heldKeys) (Agent, error) { return s.agentByEmail(ctx, keys, email) })
}

func (s *Store) agentByEmail(ctx context.Context, keys *heldKeys, email redacted.String) (Agent, error) {
	indexes, err := keys.BlindIndexes("agent", "email", email)
	if err != nil {
		return Agent{}, err
	}
	a, err := scanAgent(keys, s.pool.QueryRow(ctx,
		`SELECT id, display_name, password FROM agent WHERE email_index = ANY($1)`, indexes))
	if errors.Is(err, pgx.ErrNoRows) {
		return Agent{}, s.missing(ctx, keys)
	}
	if err != nil {
		return Agent{}, fmt.Errorf("find agent: %w", err)
	}
	return a, nil
}

// missing believes that an index is not there only if it was computed with the keys of now.
func (s *Store) missing(ctx context.Context, keys *heldKeys) error {
	if err := s.checkKeys(ctx, keys); err != nil {
		return err
	}
	return fmt.Errorf("agent: %w", ErrNotFound)
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// scanAgent opens an account's id, display name and password.
func scanAgent(keys *heldKeys, row pgx.Row) (a Agent, err error) {
	var name, password []byte
	if err := row.Scan(&a.ID, &name, &password); err != nil {
		return Agent{}, err
	}
	if a.DisplayName, err = keys.Open(agentPlace("display_name", a.ID), name); err != nil {
		return Agent{}, err
	}
	if password != nil {
		a.PasswordHash, err = keys.Open(agentPlace("password", a.ID), password)
	}
	return a, err
}
