// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Session is an agent's sign-in, known by a cookie of which only the hash is stored.
type Session struct {
	ID        uuid.UUID
	Agent     Agent
	ExpiresAt time.Time
}

// CreateSession signs agent in for ttl.
func (s *Store) CreateSession(
	ctx context.Context, agent Agent, tokenHash [32]byte, ttl time.Duration,
) (Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, fmt.Errorf("make session id: %w", err)
	}
	session := Session{ID: id, Agent: agent}
	err = s.pool.QueryRow(ctx, `
		INSERT INTO agent_session (id, token_hash, agent, expires_at)
		VALUES ($1, $2, $3, now() + make_interval(secs => $4)) RETURNING expires_at`,
		id, tokenHash[:], agent.ID, interval(ttl)).Scan(&session.ExpiresAt)
	if err != nil {
		return Session{}, fmt.Errorf("create session: %w", err)
	}
	return session, nil
}

// SessionByToken finds a session that has not expired, or reports ErrNotFound.
func (s *Store) SessionByToken(ctx context.Context, tokenHash [32]byte) (Session, error) {
	return withKeys(ctx, s, func(keys *heldKeys) (Session, error) { return s.sessionByToken(ctx, keys, tokenHash) })
}

func (s *Store) sessionByToken(ctx context.Context, keys *heldKeys, tokenHash [32]byte) (Session, error) {
	var session Session
	var name []byte
	err := s.pool.QueryRow(ctx, `
		SELECT s.id, s.expires_at, a.id, a.display_name FROM agent_session s JOIN agent a ON a.id = s.agent
		WHERE s.token_hash = $1 AND s.expires_at > now()`, tokenHash[:]).
		Scan(&session.ID, &session.ExpiresAt, &session.Agent.ID, &name)
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, fmt.Errorf("session: %w", ErrNotFound)
	}
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	session.Agent.DisplayName, err = keys.Open(agentPlace("display_name", session.Agent.ID), name)
	return session, err
}

// EndSession ends a session and tells the other replicas, which close its sockets.
func (s *Store) EndSession(ctx context.Context, id uuid.UUID) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := s.endSessions(ctx, tx, `id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func (s *Store) endSessions(ctx context.Context, tx pgx.Tx, where string, arg any) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `DELETE FROM agent_session WHERE `+where+` RETURNING id`, arg)
	if err != nil {
		return nil, fmt.Errorf("delete sessions: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("delete sessions: %w", err)
	}
	for batch := range slices.Chunk(ids, MaxAppend) {
		if _, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channelSessions, s.payload(batch...)); err != nil {
			return nil, fmt.Errorf("announce ended sessions: %w", err)
		}
	}
	return ids, nil
}

// LiveSessions returns those of the ids that have neither ended nor expired.
func (s *Store) LiveSessions(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `SELECT id FROM agent_session WHERE id = ANY($1) AND expires_at > now()`, ids)
	if err != nil {
		return nil, fmt.Errorf("check sessions: %w", err)
	}
	live, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("check sessions: %w", err)
	}
	return live, nil
}
