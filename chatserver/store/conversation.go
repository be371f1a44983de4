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

// Conversation is one visitor's talk with the tenant's agents.
type Conversation struct {
	ID      uuid.UUID
	Visitor uuid.UUID
	// Head is the seq of the last event, 0 before the first.
	Head     int64
	OpenedAt time.Time
	Contact  Contact
}

// conversationRow is a conversation as stored: contact sealed, with the wrapped key that opens it.
type conversationRow struct {
	ID, Visitor                    uuid.UUID
	Head                           int64
	OpenedAt                       time.Time
	Name, Email, Phone, ExternalID []byte
	Revision                       int64
	Wrapped                        []byte
}

const conversationColumns = `c.id, c.visitor, c.head, c.opened_at,
	c.contact_name, c.contact_email, c.contact_phone, c.contact_external_id, k.revision, k.wrapped`

// fields are where conversationColumns are scanned to.
func (r *conversationRow) fields() []any {
	return []any{
		&r.ID, &r.Visitor, &r.Head, &r.OpenedAt, &r.Name, &r.Email, &r.Phone, &r.ExternalID, &r.Revision, &r.Wrapped,
	}
}

const fromConversation = ` FROM conversation c JOIN subject_key k ON k.visitor = c.visitor `

// VisitorConversations lists a visitor's conversations, oldest first.
func (s *Store) VisitorConversations(ctx context.Context, visitor uuid.UUID) ([]Conversation, error) {
	return s.conversations(ctx, `SELECT `+conversationColumns+fromConversation+`
		WHERE c.visitor = $1 ORDER BY c.opened_at`, visitor)
}

// RecentConversations lists the limit conversations with the latest activity, the latest last.
func (s *Store) RecentConversations(ctx context.Context, limit int) ([]Conversation, error) {
	return s.conversations(ctx, `SELECT `+conversationColumns+` FROM (
			SELECT * FROM conversation ORDER BY touched_at DESC LIMIT $1
		) c JOIN subject_key k ON k.visitor = c.visitor ORDER BY c.touched_at`, limit)
}

// Conversations returns those of the ids that exist.
func (s *Store) Conversations(ctx context.Context, ids []uuid.UUID) ([]Conversation, error) {
	return s.conversations(ctx, `SELECT `+conversationColumns+fromConversation+`WHERE c.id = ANY($1)`, ids)
}

func (s *Store) conversations(ctx context.Context, query string, args ...any) ([]Conversation, error) {
	return withKeys(ctx, s, func(keys *heldKeys) ([]Conversation, error) {
		return s.listConversations(ctx, keys, query, args...)
	})
}

func (s *Store) listConversations(
	ctx context.Context, keys *heldKeys, query string, args ...any,
) ([]Conversation, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list conversations: %w", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[conversationRow])
	if err != nil {
		return nil, fmt.Errorf("list conversations: %w", err)
	}
	out := make([]Conversation, 0, len(stored))
	for i := range stored {
		c, err := s.unsealConversation(keys, &stored[i])
		if err != nil {
			return nil, fmt.Errorf("conversation %s: %w", stored[i].ID, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (s *Store) unsealConversation(keys *heldKeys, row *conversationRow) (Conversation, error) {
	c := Conversation{ID: row.ID, Visitor: row.Visitor, Head: row.Head, OpenedAt: row.OpenedAt}
	s.heads.learn(c.ID, head{c.Visitor, c.Head})
	key, err := s.openSubject(keys, row.Visitor, row.Revision, row.Wrapped)
	if err != nil {
		return c, err
	}
	c.Contact, err = openContact(key.Key, row)
	return c, err
}

// OpenConversation opens a conversation of visitor. The same clientID again, or an open conversation of theirs, gives
// the one that exists; its contact stays as it was first given. created tells which it was.
func (s *Store) OpenConversation(
	ctx context.Context, visitor, clientID uuid.UUID, contact Contact,
) (c Conversation, created bool, err error) {
	c, err = withKeys(ctx, s, func(keys *heldKeys) (Conversation, error) {
		row, err := s.sealConversation(ctx, keys, visitor, contact)
		if err != nil {
			return Conversation{}, err
		}
		created, err = s.storeConversation(ctx, keys, clientID, row, contact)
		if err != nil {
			return Conversation{}, fmt.Errorf("open conversation: %w", err)
		}
		return s.unsealConversation(keys, row)
	})
	return c, created, err
}

// sealConversation makes a row out of the visitor's words, with the key it is sealed with.
func (s *Store) sealConversation(
	ctx context.Context, keys *heldKeys, visitor uuid.UUID, contact Contact,
) (*conversationRow, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make conversation id: %w", err)
	}
	key, err := s.subject(ctx, keys, visitor, 0)
	if err != nil {
		return nil, err
	}
	row := &conversationRow{ID: id, Visitor: visitor, Revision: key.revision}
	return row, sealContact(key.Key, contact, row)
}

// storeConversation inserts the row and what its contact is found by, or replaces it with the one that is there.
func (s *Store) storeConversation(
	ctx context.Context, keys *heldKeys, clientID uuid.UUID, row *conversationRow, contact Contact,
) (created bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		created, err = s.insertConversation(ctx, tx, clientID, row)
		switch {
		case err != nil:
			return err
		case created:
			return startIndex(ctx, tx, keys, row, contact)
		default:
			return s.findConversation(ctx, tx, clientID, row)
		}
	})
	return created, err
}

// insertConversation inserts the row only if the visitor's keyset is at the revision that sealed it, and keeps that
// from changing meanwhile.
func (s *Store) insertConversation(
	ctx context.Context, tx pgx.Tx, clientID uuid.UUID, row *conversationRow,
) (created bool, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO conversation (id, visitor, client_id, contact_name, contact_email, contact_phone,
			contact_external_id, key_revision, opened_at, touched_at)
		SELECT $1, k.visitor, $3, $4, $5, $6, $7, k.revision, t, t
		FROM subject_key k, date_trunc('milliseconds', clock_timestamp()) t
		WHERE k.visitor = $2 AND k.revision = $8 FOR SHARE OF k
		ON CONFLICT DO NOTHING RETURNING opened_at, (SELECT wrapped FROM subject_key WHERE visitor = $2)`,
		row.ID, row.Visitor, clientID, row.Name, row.Email, row.Phone, row.ExternalID, row.Revision).
		Scan(&row.OpenedAt, &row.Wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("insert conversation: %w", err)
	}
	_, err = tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channelEvents, s.payload(row.ID))
	if err != nil {
		return false, fmt.Errorf("announce conversation: %w", err)
	}
	return true, nil
}

// findConversation reads the conversation that kept ours from being inserted. If there is none, the visitor's key was.
func (s *Store) findConversation(ctx context.Context, tx pgx.Tx, clientID uuid.UUID, row *conversationRow) error {
	err := tx.QueryRow(ctx, `SELECT `+conversationColumns+fromConversation+`
		WHERE c.visitor = $1 AND (c.client_id = $2 OR c.closed_at IS NULL)
		ORDER BY c.client_id = $2 DESC LIMIT 1`, row.Visitor, clientID).
		Scan(row.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		s.subjects.Remove(row.Visitor)
		return errStale
	}
	if err != nil {
		return fmt.Errorf("find conversation: %w", err)
	}
	return nil
}
