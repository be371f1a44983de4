// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Author is who wrote an event. Visitors have no display name.
type Author struct {
	Kind        protocol.Kind
	ID          uuid.UUID
	DisplayName redacted.String
}

// Event is an entry of a conversation. Seq starts at 1 and has no gaps.
type Event struct {
	Conversation uuid.UUID
	Seq          int64
	ID           uuid.UUID
	Kind         protocol.EventKind
	// Target is the message that an edit or a deletion is about.
	Target   uuid.UUID
	Author   Author
	ClientID uuid.UUID
	Body     redacted.String
	// Erased says that a deletion took the body away.
	Erased bool
	At     time.Time
}

// Position is a place in a conversation: everything up to and including Seq is known.
type Position struct {
	Conversation uuid.UUID
	Seq          int64
}

type eventRow struct {
	Conversation, Visitor uuid.UUID
	KeyRevision           int64
	Seq                   int64
	ID                    uuid.UUID
	Kind                  string
	Target                pgtype.UUID
	AuthorKind            string
	Author, ClientID      uuid.UUID
	Body                  []byte
	At                    time.Time
	DisplayName           []byte
}

// EventsAfter reads what follows each position, at most limit events per conversation, ordered by conversation and seq.
func (s *Store) EventsAfter(ctx context.Context, after []Position, limit int) ([]Event, error) {
	return withKeys(ctx, s, func(keys *heldKeys) ([]Event, error) { return s.eventsAfter(ctx, keys, after, limit) })
}

func (s *Store) eventsAfter(ctx context.Context, keys *heldKeys, after []Position, limit int) ([]Event, error) {
	ids, seqs := splitPositions(after)
	rows, err := s.pool.Query(ctx, `
		SELECT e.conversation, c.visitor, c.key_revision, e.seq, e.id, e.kind, e.target, e.author_kind, e.author,
			e.client_id, e.body, e.at, a.display_name
		FROM unnest($1::uuid[], $2::bigint[]) AS w (conversation, seq)
		JOIN conversation c ON c.id = w.conversation
		JOIN LATERAL (
			SELECT * FROM event WHERE conversation = w.conversation AND seq > w.seq ORDER BY seq LIMIT $3
		) e ON true
		LEFT JOIN agent a ON e.author_kind = 'agent' AND a.id = e.author
		ORDER BY e.conversation, e.seq`, ids, seqs, limit)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[eventRow])
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	out := make([]Event, 0, len(stored))
	for i := range stored {
		e, err := s.unsealEvent(ctx, keys, &stored[i])
		if err != nil {
			return nil, fmt.Errorf("event %d of conversation %s: %w", stored[i].Seq, stored[i].Conversation, err)
		}
		out = append(out, e)
	}
	return out, nil
}

func splitPositions(positions []Position) (ids []uuid.UUID, seqs []int64) {
	for _, p := range positions {
		ids, seqs = append(ids, p.Conversation), append(seqs, p.Seq)
	}
	return ids, seqs
}

func (s *Store) unsealEvent(ctx context.Context, keys *heldKeys, row *eventRow) (Event, error) {
	e := Event{
		Conversation: row.Conversation, Seq: row.Seq, ID: row.ID, ClientID: row.ClientID, At: row.At,
		Kind: protocol.EventKind(row.Kind), Target: row.Target.Bytes,
		Author: Author{Kind: protocol.Kind(row.AuthorKind), ID: row.Author},
	}
	if err := s.unsealBody(ctx, keys, row, &e); err != nil {
		return e, err
	}
	var err error
	if row.DisplayName != nil {
		e.Author.DisplayName, err = keys.Open(agentPlace("display_name", row.Author), row.DisplayName)
	}
	return e, err
}

func (s *Store) unsealBody(ctx context.Context, keys *heldKeys, row *eventRow, e *Event) error {
	if row.Body == nil {
		e.Erased = e.Kind != protocol.KindDeletion
		return nil
	}
	key, err := s.subject(ctx, keys, row.Visitor, row.KeyRevision)
	if err != nil {
		return err
	}
	e.Body, err = key.Open(bodyPlace(e), row.Body)
	return err
}

// Touched is a conversation that changed: someone opened it or its head moved.
type Touched struct {
	Conversation uuid.UUID
	Visitor      uuid.UUID
	Head         int64
}

// touchGrain is how far a conversation's touched_at may lag behind its last event. Where the column stays as it is, an
// update of the head touches no index.
const touchGrain = 10 * time.Second

// touched is the SQL expression for a conversation c's touched_at after an event at the time given.
func touched(at string) string {
	return fmt.Sprintf(`CASE WHEN c.touched_at < %[1]s - interval '%[2]d s' THEN %[1]s ELSE c.touched_at END`,
		at, touchGrain/time.Second)
}

// TouchedWithin lists the conversations that changed during the last d, by the database's clock, and some that changed
// little earlier.
func (s *Store) TouchedWithin(ctx context.Context, d time.Duration) ([]Touched, error) {
	return s.readTouched(ctx, `SELECT id, visitor, head FROM conversation
		WHERE touched_at > clock_timestamp() - make_interval(secs => $1) ORDER BY touched_at`, interval(d+touchGrain))
}

// Heads returns the current state of those of the ids that exist.
func (s *Store) Heads(ctx context.Context, ids []uuid.UUID) ([]Touched, error) {
	return s.readTouched(ctx, `SELECT id, visitor, head FROM conversation WHERE id = ANY($1)`, ids)
}

// VisitorHeads returns the current state of a visitor's conversations.
func (s *Store) VisitorHeads(ctx context.Context, visitor uuid.UUID) ([]Touched, error) {
	return s.readTouched(ctx, `SELECT id, visitor, head FROM conversation WHERE visitor = $1`, visitor)
}

func (s *Store) readTouched(ctx context.Context, query string, arg any) ([]Touched, error) {
	rows, err := s.pool.Query(ctx, query, arg)
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Touched])
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	for _, t := range out {
		s.heads.learn(t.Conversation, head{t.Visitor, t.Head})
	}
	return out, nil
}
