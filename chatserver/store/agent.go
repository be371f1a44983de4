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
	index, err := s.keys.BlindIndex("agent", "email", email)
	if err != nil {
		return Agent{}, err
	}
	a := Agent{DisplayName: displayName}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if a.ID, err = s.reserveAgent(ctx, tx, index, email); err != nil {
			return err
		}
		name, err := s.keys.Seal(agentPlace("display_name", a.ID), displayName)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE agent SET display_name = $2 WHERE id = $1`, a.ID, name)
		return err
	})
	if err != nil {
		return Agent{}, fmt.Errorf("ensure agent: %w", err)
	}
	return a, nil
}

// reserveAgent inserts the account if the address is new. The caller seals the display name for the id that won.
func (s *Store) reserveAgent(ctx context.Context, tx pgx.Tx, index []byte, email redacted.String) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make agent id: %w", err)
	}
	sealed, err := s.keys.Seal(agentPlace("email", id), email)
	if err != nil {
		return uuid.Nil, err
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO agent (id, email_index, email, display_name) VALUES ($1, $2, $3, '')
		ON CONFLICT (email_index) DO UPDATE SET email_index = excluded.email_index RETURNING id`,
		id, index, sealed).Scan(&id)
	return id, err
}

// AgentByEmail finds an account by its exact address, or reports ErrNotFound.
func (s *Store) AgentByEmail(ctx context.Context, email redacted.String) (Agent, error) {
	index, err := s.keys.BlindIndex("agent", "email", email)
	if err != nil {
		return Agent{}, err
	}
	return s.findAgent(ctx, s.pool, `SELECT id, display_name, password FROM agent WHERE email_index = $1`, index)
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

func (s *Store) findAgent(ctx context.Context, q querier, query string, arg any) (Agent, error) {
	var a Agent
	var name, password []byte
	err := q.QueryRow(ctx, query, arg).Scan(&a.ID, &name, &password)
	if errors.Is(err, pgx.ErrNoRows) {
		return Agent{}, fmt.Errorf("agent: %w", ErrNotFound)
	}
	if err != nil {
		return Agent{}, fmt.Errorf("find agent: %w", err)
	}
	if a.DisplayName, err = s.keys.Open(agentPlace("display_name", a.ID), name); err != nil {
		return Agent{}, err
	}
	if password != nil {
		a.PasswordHash, err = s.keys.Open(agentPlace("password", a.ID), password)
	}
	return a, err
}
