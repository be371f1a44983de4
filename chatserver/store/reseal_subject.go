// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// sealedBody is an event as far as its body is bound to it.
type sealedBody struct {
	Conversation     uuid.UUID
	Seq              int64
	ID               uuid.UUID
	Kind, AuthorKind string
	Author           uuid.UUID
	Target           pgtype.UUID
	Body             []byte
}

func (b *sealedBody) place() seal.Place {
	return bodyPlace(&Event{
		Conversation: b.Conversation, Seq: b.Seq, ID: b.ID, Kind: protocol.EventKind(b.Kind), Target: b.Target.Bytes,
		Author: Author{Kind: protocol.Kind(b.AuthorKind), ID: b.Author},
	})
}

// moveEvents seals the bodies of the next events anew. A deletion that is taking a body away has it locked, or waits
// until the body is back and takes it then.
func (s *subjectRows) moveEvents(ctx context.Context, tx pgx.Tx) (*moved, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.conversation, e.seq, e.id, e.kind, e.author_kind, e.author, e.target, e.body
		FROM event e JOIN conversation c ON c.id = e.conversation
		WHERE c.visitor = $1 AND sealed_with(e.body) = ANY($2) AND (e.conversation, e.seq) > ($3, $4)
		ORDER BY e.conversation, e.seq LIMIT $5 FOR UPDATE OF e SKIP LOCKED`,
		s.visitor, s.old, s.conversation, s.seq, s.limit)
	if err != nil {
		return nil, err
	}
	bodies, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sealedBody])
	if err != nil {
		return nil, err
	}
	out := &moved{seen: len(bodies)}
	var ids []uuid.UUID
	var fresh [][]byte
	for i := range bodies {
		b := &bodies[i]
		s.conversation, s.seq = b.Conversation, b.Seq
		sealed, err := s.key.Reseal(b.place(), b.Body)
		switch {
		case errors.Is(err, seal.ErrRefused):
			out.refused++
		case err != nil:
			return nil, err
		default:
			ids, fresh = append(ids, b.ID), append(fresh, sealed)
		}
	}
	_, err = tx.Exec(ctx, `UPDATE event e SET body = w.body
		FROM unnest($1::uuid[], $2::bytea[]) AS w (id, body) WHERE e.id = w.id`, ids, fresh)
	return out, err
}

// moveContacts seals anew what the visitor said about themselves.
func (s *subjectRows) moveContacts(ctx context.Context, tx pgx.Tx) (*moved, error) {
	t := &sealedTable{
		name: "conversation", id: "id", columns: sealedContactColumns(),
		of: &s.visitor,
		reseal: func(_ *heldKeys, column string, conversation uuid.UUID, sealed []byte) ([]byte, error) {
			return s.key.Reseal(contactPlace(column, conversation), sealed)
		},
	}
	m := mover{table: t, keys: s.keys, old: s.old, limit: s.limit, last: s.contact}
	out, err := m.move(ctx, tx)
	s.contact = m.last
	return out, err
}
