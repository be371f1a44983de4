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

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// CreateInvitation stores the hash of a single-use token that lets its bearer set the agent's password within ttl. It
// replaces earlier invitations of the same agent.
func (s *Store) CreateInvitation(ctx context.Context, agent uuid.UUID, tokenHash [32]byte, ttl time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		WITH old AS (DELETE FROM invitation WHERE agent = $1)
		INSERT INTO invitation (agent, token_hash, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))`,
		agent, tokenHash[:], interval(ttl))
	if err != nil {
		return fmt.Errorf("create invitation: %w", err)
	}
	return nil
}

// RedeemInvitation uses up an invitation: it sets the agent's password hash and ends their sessions. It reports
// ErrNotFound for a token that is unknown, used or expired; of parallel attempts one wins.
func (s *Store) RedeemInvitation(
	ctx context.Context, tokenHash [32]byte, passwordHash redacted.String,
) (a Agent, ended []uuid.UUID, err error) {
	a, err = withKeys(ctx, s, func(keys *heldKeys) (a Agent, err error) {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			a, ended, err = s.redeemInvitation(ctx, tx, keys, tokenHash, passwordHash)
			return err
		})
		return a, err
	})
	if err != nil {
		return Agent{}, nil, fmt.Errorf("redeem invitation: %w", err)
	}
	return a, ended, nil
}

func (s *Store) redeemInvitation(
	ctx context.Context, tx pgx.Tx, keys *heldKeys, tokenHash [32]byte, passwordHash redacted.String,
) (Agent, []uuid.UUID, error) {
	id, err := useInvitation(ctx, tx, tokenHash)
	if err != nil {
		return Agent{}, nil, err
	}
	a, err := setPassword(ctx, tx, keys, id, passwordHash)
	if err != nil {
		return Agent{}, nil, err
	}
	ended, err := s.endSessions(ctx, tx, `agent = $1`, id)
	return a, ended, err
}

func useInvitation(ctx context.Context, tx pgx.Tx, tokenHash [32]byte) (uuid.UUID, error) {
	var agent uuid.UUID
	err := tx.QueryRow(ctx, `UPDATE invitation SET redeemed_at = now()
		WHERE token_hash = $1 AND redeemed_at IS NULL AND expires_at > now() RETURNING agent`, tokenHash[:]).Scan(&agent)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, ErrNotFound
	}
	return agent, err
}

func setPassword(
	ctx context.Context, tx pgx.Tx, keys *heldKeys, agent uuid.UUID, hash redacted.String,
) (Agent, error) {
	sealed, err := keys.Seal(agentPlace("password", agent), hash)
	if err != nil {
		return Agent{}, err
	}
	if _, err := tx.Exec(ctx, `UPDATE agent SET password = $2 WHERE id = $1`, agent, sealed); err != nil {
		return Agent{}, fmt.Errorf("set password: %w", err)
	}
	a, err := scanAgent(keys, tx.QueryRow(ctx, `SELECT id, display_name, password FROM agent WHERE id = $1`, agent))
	if err != nil {
		return Agent{}, fmt.Errorf("find agent: %w", err)
	}
	return a, nil
}

// InvitationExists tells whether a token could be redeemed now.
func (s *Store) InvitationExists(ctx context.Context, tokenHash [32]byte) (bool, error) {
	var exists bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM invitation
		WHERE token_hash = $1 AND redeemed_at IS NULL AND expires_at > now())`, tokenHash[:]).Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("find invitation: %w", err)
	}
	return exists, nil
}
