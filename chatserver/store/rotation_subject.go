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

// rotateSubjects replaces the keys of the visitors asked for. A visitor's keyset needs no phases: it has a second key
// exactly while rows are moved, and their conversations, which every writer locks, tell the others at once that it
// changed.
func (r *rotator) rotateSubjects(ctx context.Context) error {
	rows, err := r.conn.Query(ctx, `SELECT visitor FROM subject_rotation ORDER BY requested_at`)
	if err != nil {
		return fmt.Errorf("read requested rotations: %w", err)
	}
	visitors, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("read requested rotations: %w", err)
	}
	var errs []error
	for _, visitor := range visitors {
		_, err := withKeys(ctx, r.store, func(keys *heldKeys) (struct{}, error) {
			return struct{}{}, r.rotateSubject(ctx, &subjectRows{keys: keys, visitor: visitor, limit: r.policy.Batch})
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("rotate keys of visitor %s: %w", visitor, err))
		}
	}
	return errors.Join(errs...)
}

func (r *rotator) rotateSubject(ctx context.Context, s *subjectRows) error {
	err := pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error { return s.begin(ctx, tx) })
	if errors.Is(err, ErrNotFound) {
		_, err := r.conn.Exec(ctx, forgetSubject, s.visitor)
		return err
	}
	if err != nil {
		return err
	}
	if err := r.pass(ctx, "event", s.moveEvents); err != nil {
		return err
	}
	if err := r.pass(ctx, "conversation", s.moveContacts); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error { return s.end(ctx, tx) })
}

// subjectRows is everything sealed with the keys of one visitor.
type subjectRows struct {
	keys    *heldKeys
	visitor uuid.UUID
	limit   int
	// key is the visitor's, with a new primary key beside those that go.
	key *seal.Key
	old []int64
	// conversation and seq are the event the next batch follows, contact the conversation.
	conversation, contact uuid.UUID
	seq                   int64
}

const forgetSubject = `DELETE FROM subject_rotation WHERE visitor = $1`

// begin gives the keyset a new key that seals from now on, unless it was begun before.
func (s *subjectRows) begin(ctx context.Context, tx pgx.Tx) error {
	wrapped, err := s.lock(ctx, tx)
	if err != nil {
		return err
	}
	if s.key, err = s.keys.OpenSubject(s.visitor, wrapped); err != nil {
		return err
	}
	if len(s.key.IDs().Others) == 0 {
		if wrapped, err = s.keys.RotateSubject(s.visitor, wrapped); err != nil {
			return err
		}
		if s.key, err = s.keys.OpenSubject(s.visitor, wrapped); err != nil {
			return err
		}
		err = s.replace(ctx, tx, wrapped)
	}
	for _, id := range s.key.IDs().Others {
		s.old = append(s.old, int64(id))
	}
	return err
}

// end takes the old keys away, if no row needs them.
func (s *subjectRows) end(ctx context.Context, tx pgx.Tx) error {
	wrapped, err := s.lock(ctx, tx)
	if err != nil {
		return err
	}
	var left int64
	err = tx.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE sealed_with(e.body) = ANY($2))
			+ count(DISTINCT c.id) FILTER (WHERE sealed_with(contact_name) = ANY($2) OR sealed_with(contact_email) = ANY($2))
		FROM conversation c LEFT JOIN event e ON e.conversation = c.id WHERE c.visitor = $1`, s.visitor, s.old).Scan(&left)
	if err != nil {
		return fmt.Errorf("count rows under old keys: %w", err)
	}
	if left > 0 {
		return fmt.Errorf("%d %w", left, errRowsLeft)
	}
	if wrapped, err = s.keys.RetireSubject(s.visitor, wrapped); err != nil {
		return err
	}
	if err := s.replace(ctx, tx, wrapped); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, forgetSubject, s.visitor)
	return err
}

var errRowsLeft = errors.New("rows are left under an old key")

// lock keeps everybody from writing to the visitor's conversations and from opening one, and returns the keyset.
func (s *subjectRows) lock(ctx context.Context, tx pgx.Tx) (wrapped []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT wrapped FROM subject_key WHERE visitor = $1 FOR UPDATE`, s.visitor).Scan(&wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock subject key: %w", err)
	}
	_, err = tx.Exec(ctx, `SELECT FROM conversation WHERE visitor = $1 ORDER BY id FOR UPDATE`, s.visitor)
	if err != nil {
		return nil, fmt.Errorf("lock conversations: %w", err)
	}
	return wrapped, nil
}

func (s *subjectRows) replace(ctx context.Context, tx pgx.Tx, wrapped []byte) error {
	_, err := tx.Exec(ctx, `
		WITH k AS (UPDATE subject_key SET wrapped = $2, revision = revision + 1 WHERE visitor = $1 RETURNING revision)
		UPDATE conversation c SET key_revision = k.revision FROM k WHERE c.visitor = $1`, s.visitor, wrapped)
	if err != nil {
		return fmt.Errorf("replace subject key: %w", err)
	}
	return nil
}
