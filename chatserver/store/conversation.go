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

// Contact is what a visitor said about themselves; empty fields were withheld.
type Contact struct {
	Name  redacted.String
	Email redacted.String
}

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
	ID, Visitor uuid.UUID
	Head        int64
	OpenedAt    time.Time
	Name, Email []byte
	Wrapped     []byte
}

const conversationColumns = `c.id, c.visitor, c.head, c.opened_at, c.contact_name, c.contact_email, k.wrapped`

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
		c, err := s.unsealConversation(&stored[i])
		if err != nil {
			return nil, fmt.Errorf("conversation %s: %w", stored[i].ID, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (s *Store) unsealConversation(row *conversationRow) (Conversation, error) {
	c := Conversation{ID: row.ID, Visitor: row.Visitor, Head: row.Head, OpenedAt: row.OpenedAt}
	key, err := s.openSubject(row.Visitor, row.Wrapped)
	if err != nil {
		return c, err
	}
	if row.Name != nil {
		if c.Contact.Name, err = key.Open(contactPlace("contact_name", row.ID), row.Name); err != nil {
			return c, err
		}
	}
	if row.Email != nil {
		c.Contact.Email, err = key.Open(contactPlace("contact_email", row.ID), row.Email)
	}
	return c, err
}

// OpenConversation opens a conversation of visitor. The same clientID again, or an open conversation of theirs, gives
// the one that exists; its contact stays as it was first given. created tells which it was.
func (s *Store) OpenConversation(
	ctx context.Context, visitor, clientID uuid.UUID, contact Contact,
) (c Conversation, created bool, err error) {
	row, err := s.sealConversation(ctx, visitor, contact)
	if err != nil {
		return Conversation{}, false, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		created, err = s.insertConversation(ctx, tx, clientID, row)
		if err != nil || created {
			return err
		}
		return findConversation(ctx, tx, clientID, row)
	})
	if err != nil {
		return Conversation{}, false, fmt.Errorf("open conversation: %w", err)
	}
	c, err = s.unsealConversation(row)
	return c, created, err
}

func (s *Store) sealConversation(ctx context.Context, visitor uuid.UUID, contact Contact) (*conversationRow, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make conversation id: %w", err)
	}
	key, err := s.subject(ctx, visitor)
	if err != nil {
		return nil, err
	}
	row := &conversationRow{ID: id, Visitor: visitor}
	if !contact.Name.IsEmpty() {
		if row.Name, err = key.Seal(contactPlace("contact_name", id), contact.Name); err != nil {
			return nil, err
		}
	}
	if !contact.Email.IsEmpty() {
		row.Email, err = key.Seal(contactPlace("contact_email", id), contact.Email)
	}
	return row, err
}

func (s *Store) insertConversation(
	ctx context.Context, tx pgx.Tx, clientID uuid.UUID, row *conversationRow,
) (created bool, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO conversation (id, visitor, client_id, contact_name, contact_email, opened_at, touched_at)
		SELECT $1, $2, $3, $4, $5, t, t FROM date_trunc('milliseconds', clock_timestamp()) t
		ON CONFLICT DO NOTHING RETURNING opened_at`,
		row.ID, row.Visitor, clientID, row.Name, row.Email).Scan(&row.OpenedAt)
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

// findConversation reads the conversation that kept ours from being inserted.
func findConversation(ctx context.Context, tx pgx.Tx, clientID uuid.UUID, row *conversationRow) error {
	err := tx.QueryRow(ctx, `SELECT `+conversationColumns+fromConversation+`
		WHERE c.visitor = $1 AND (c.client_id = $2 OR c.closed_at IS NULL)
		ORDER BY c.client_id = $2 DESC LIMIT 1`, row.Visitor, clientID).
		Scan(&row.ID, &row.Visitor, &row.Head, &row.OpenedAt, &row.Name, &row.Email, &row.Wrapped)
	if err != nil {
		return fmt.Errorf("find conversation: %w", err)
	}
	return nil
}
