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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// Draft is an event that wants a place in a conversation.
type Draft struct {
	// Kind is a message if empty.
	Kind         protocol.EventKind
	Conversation uuid.UUID
	Author       Author
	ClientID     uuid.UUID
	// Target is the message that an edit or a deletion is about.
	Target uuid.UUID
	// Body is the text of a message or an edit.
	Body redacted.String
}

// Outcome is what became of a Draft.
type Outcome struct {
	// Event is the stored message. Of a duplicate only Conversation, Seq, ID, ClientID and At are set.
	Event Event
	// Visitor is whose conversation it is.
	Visitor   uuid.UUID
	Duplicate bool
	// Err is ErrNotFound if the conversation does not exist, is closed, or the author may not write to it, or if it has
	// no such message any more; ErrNotAuthor if the message is somebody else's.
	Err error
}

// Appended is the result of one commit.
type Appended struct {
	Epoch int64
	// Outcomes has one entry per draft, in their order.
	Outcomes []Outcome
}

// MaxAppend is the most drafts one Append takes: their conversations' ids must fit one notification.
const MaxAppend = 128

// Permit decides whether author may write to a conversation of visitor.
type Permit func(author Author, visitor uuid.UUID) bool

// Append gives each draft the next place of its conversation and commits them together. When it returns without error
// everything in Outcomes is on disk; when it returns an error, whether anything was is unknown, and appending the same
// drafts again is the way to find out: a (conversation, author, client id) exists once.
//
// It takes two round trips. The first locks the conversations, so that two replicas never give out the same place, and
// looks for duplicates with a snapshot taken after the lock. The second writes and commits. A deletion erases the texts
// of its message and of its edits in the same commit.
func (s *Store) Append(ctx context.Context, drafts []Draft, permit Permit) (Appended, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return Appended{}, fmt.Errorf("get connection: %w", err)
	}
	// A connection left inside a transaction is closed by the pool, which rolls it back.
	defer conn.Release()
	state, err := s.lock(ctx, conn, drafts)
	if err != nil {
		return Appended{}, err
	}
	p := plan{state: state, permit: permit}
	for i := range drafts {
		p.place(&drafts[i])
	}
	if err := s.write(ctx, conn, &p); err != nil {
		return Appended{}, err
	}
	return Appended{Epoch: state.epoch, Outcomes: p.outcomes}, nil
}

// lockedState is what the first round trip learned.
type lockedState struct {
	conversations map[uuid.UUID]*lockedConversation
	known         map[draftKey]Event
	messages      map[uuid.UUID]*lockedMessage
	now           time.Time
	epoch         int64
}

type lockedConversation struct {
	visitor uuid.UUID
	head    int64
	key     *seal.Key
}

// lockedMessage is a message that an edit or a deletion is about.
type lockedMessage struct {
	conversation, author uuid.UUID
	erased               bool
}

// draftKey is what may exist once.
type draftKey struct{ conversation, author, clientID uuid.UUID }

func (d *Draft) key() draftKey { return draftKey{d.Conversation, d.Author.ID, d.ClientID} }

func (s *Store) lock(ctx context.Context, conn *pgxpool.Conn, drafts []Draft) (*lockedState, error) {
	ids, authors, clientIDs := columns(drafts)
	state := &lockedState{
		conversations: map[uuid.UUID]*lockedConversation{}, known: map[draftKey]Event{},
		messages: map[uuid.UUID]*lockedMessage{},
	}
	var batch pgx.Batch
	batch.Queue(`BEGIN`)
	// Ordered, so that two replicas with overlapping batches cannot deadlock.
	batch.Queue(`SELECT c.id, c.visitor, c.head, k.wrapped
		FROM conversation c JOIN subject_key k ON k.visitor = c.visitor
		WHERE c.id = ANY($1) AND c.closed_at IS NULL ORDER BY c.id FOR UPDATE OF c`, ids).
		Query(func(rows pgx.Rows) error { return s.scanLocked(rows, state) })
	batch.Queue(`SELECT e.conversation, e.author, e.client_id, e.seq, e.id, e.at
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w (conversation, author, client_id)
		JOIN event e USING (conversation, author, client_id)`, ids, authors, clientIDs).
		Query(func(rows pgx.Rows) error { return scanKnown(rows, state) })
	if targets := targetsOf(drafts); len(targets) > 0 {
		batch.Queue(`SELECT id, conversation, author, body IS NULL FROM event WHERE id = ANY($1) AND kind = 'message'`,
			targets).Query(func(rows pgx.Rows) error { return scanMessages(rows, state) })
	}
	batch.Queue(`SELECT date_trunc('milliseconds', clock_timestamp()), epoch FROM instance`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&state.now, &state.epoch) })
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("lock conversations: %w", err)
	}
	return state, nil
}

func columns(drafts []Draft) (ids, authors, clientIDs []uuid.UUID) {
	for i := range drafts {
		d := &drafts[i]
		ids, authors, clientIDs = append(ids, d.Conversation), append(authors, d.Author.ID), append(clientIDs, d.ClientID)
	}
	return ids, authors, clientIDs
}

// targetsOf lists the messages that drafts are about, which is none as a rule.
func targetsOf(drafts []Draft) []uuid.UUID {
	var targets []uuid.UUID
	for i := range drafts {
		if drafts[i].Target != uuid.Nil {
			targets = append(targets, drafts[i].Target)
		}
	}
	return targets
}

func (s *Store) scanLocked(rows pgx.Rows, state *lockedState) error {
	var id, visitor uuid.UUID
	var head int64
	var wrapped []byte
	_, err := pgx.ForEachRow(rows, []any{&id, &visitor, &head, &wrapped}, func() error {
		key, err := s.openSubject(visitor, wrapped)
		if err != nil {
			return err
		}
		state.conversations[id] = &lockedConversation{visitor: visitor, head: head, key: key}
		return nil
	})
	return err
}

func scanKnown(rows pgx.Rows, state *lockedState) error {
	var e Event
	_, err := pgx.ForEachRow(rows, []any{&e.Conversation, &e.Author.ID, &e.ClientID, &e.Seq, &e.ID, &e.At}, func() error {
		state.known[draftKey{e.Conversation, e.Author.ID, e.ClientID}] = e
		return nil
	})
	return err
}

func scanMessages(rows pgx.Rows, state *lockedState) error {
	var id uuid.UUID
	var m lockedMessage
	_, err := pgx.ForEachRow(rows, []any{&id, &m.conversation, &m.author, &m.erased}, func() error {
		state.messages[id] = &lockedMessage{m.conversation, m.author, m.erased}
		return nil
	})
	return err
}

var errRolledBack = errors.New("transaction was rolled back")

// write stores what the plan placed and commits.
func (s *Store) write(ctx context.Context, conn *pgxpool.Conn, p *plan) error {
	rows, err := p.seal()
	if err != nil {
		return err
	}
	var batch pgx.Batch
	if len(rows.ids) > 0 {
		rows.queue(&batch)
		p.queueErasure(&batch)
		ids, heads := p.heads()
		batch.Queue(`UPDATE conversation c SET head = w.head, touched_at = $3
			FROM unnest($1::uuid[], $2::bigint[]) AS w (id, head) WHERE c.id = w.id`, ids, heads, p.state.now)
		batch.Queue(`SELECT pg_notify($1, $2)`, channelEvents, s.payload(ids...))
	}
	var tag string
	batch.Queue(`COMMIT`).Exec(func(ct pgconn.CommandTag) error { tag = ct.String(); return nil })
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	// PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error.
	if tag != "COMMIT" {
		return fmt.Errorf("append events: %w", errRolledBack)
	}
	return nil
}
