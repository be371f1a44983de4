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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// appendLocked stores the drafts of indexes in a transaction of two round trips. The first locks the conversations, so
// that two replicas never give out the same place, and looks for duplicates with a snapshot taken after the lock. The
// second writes and commits. A deletion erases the texts of its message and of its edits in the same commit.
func (a *appending) appendLocked(ctx context.Context, indexes []int) error {
	slices.Sort(indexes)
	_, err := withKeys(ctx, a.store, func(keys *heldKeys) (struct{}, error) {
		return struct{}{}, a.lockAndAppend(ctx, keys, indexes)
	})
	return err
}

func (a *appending) lockAndAppend(ctx context.Context, keys *heldKeys, indexes []int) error {
	if err := a.rollBack(ctx); err != nil {
		return err
	}
	drafts := make([]Draft, 0, len(indexes))
	for _, i := range indexes {
		drafts = append(drafts, a.drafts[i])
	}
	state, err := a.store.lock(ctx, a.conn, keys, drafts)
	if err != nil {
		return err
	}
	p := plan{state: state, permit: a.permit}
	for i := range drafts {
		p.place(&drafts[i])
	}
	if err := a.store.write(ctx, a.conn, &p); err != nil {
		return err
	}
	for i, index := range indexes {
		a.outcomes[index] = p.outcomes[i]
	}
	for id, c := range state.conversations {
		a.store.heads.set(id, head{c.visitor, c.head})
	}
	a.epoch = state.epoch
	return nil
}

// rollBack ends what an attempt with keysets that were out of date left.
func (a *appending) rollBack(ctx context.Context) error {
	const idle = 'I'
	if a.conn.Conn().PgConn().TxStatus() == idle {
		return nil
	}
	if _, err := a.conn.Exec(ctx, `ROLLBACK`); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
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
	// was is the head before the drafts, head the one after them.
	was, head int64
	// key is nil while only one is known that was replaced meanwhile.
	key *subjectKey
}

// lockedMessage is a message that an edit or a deletion is about.
type lockedMessage struct {
	conversation, author uuid.UUID
	erased               bool
}

func (s *Store) lock(
	ctx context.Context, conn *pgxpool.Conn, keys *heldKeys, drafts []Draft,
) (*lockedState, error) {
	ids, authors, clientIDs := keyColumns(drafts)
	state := &lockedState{
		conversations: map[uuid.UUID]*lockedConversation{}, known: map[draftKey]Event{},
		messages: map[uuid.UUID]*lockedMessage{},
	}
	var batch pgx.Batch
	batch.Queue(`BEGIN`)
	// Ordered, so that two replicas with overlapping batches cannot deadlock. Lateral, so that each is looked up by key.
	batch.Queue(`SELECT c.id, c.visitor, c.head, c.key_revision, k.revision, k.wrapped
		FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) AS id ORDER BY id) w
		CROSS JOIN LATERAL (
			SELECT id, visitor, head, key_revision FROM conversation WHERE id = w.id AND closed_at IS NULL
			FOR NO KEY UPDATE
		) c
		JOIN subject_key k ON k.visitor = c.visitor`, ids).
		Query(func(rows pgx.Rows) error { return s.scanLocked(rows, keys, state) })
	batch.Queue(`SELECT e.conversation, e.author, e.client_id, e.seq, e.id, e.at
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w (conversation, author, client_id)
		JOIN event e USING (conversation, author, client_id)`, ids, authors, clientIDs).
		Query(func(rows pgx.Rows) error { return scanKnown(rows, state) })
	if targets := targetsOf(drafts); len(targets) > 0 {
		batch.Queue(`SELECT id, conversation, author, body IS NULL FROM event WHERE id = ANY($1) AND kind = 'message'`,
			targets).Query(func(rows pgx.Rows) error { return scanMessages(rows, state) })
	}
	batch.Queue(`SELECT date_trunc('milliseconds', clock_timestamp()), epoch FROM instance WHERE singleton`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&state.now, &state.epoch) })
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("lock conversations: %w", err)
	}
	return state, s.renewSubjects(ctx, conn, keys, state)
}

func keyColumns(drafts []Draft) (ids, authors, clientIDs []uuid.UUID) {
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

func (s *Store) scanLocked(rows pgx.Rows, keys *heldKeys, state *lockedState) error {
	var id, visitor uuid.UUID
	var head, wanted, revision int64
	var wrapped []byte
	_, err := pgx.ForEachRow(rows, []any{&id, &visitor, &head, &wanted, &revision, &wrapped}, func() error {
		c := &lockedConversation{visitor: visitor, was: head, head: head}
		state.conversations[id] = c
		if revision < wanted {
			return nil
		}
		var err error
		c.key, err = s.openSubject(keys, visitor, revision, wrapped)
		return err
	})
	return err
}

// renewSubjects reads keys that were replaced while the locks were waited for: of a row that is locked PostgreSQL shows
// the latest state, of one that is joined to it the state at the beginning of the statement.
func (s *Store) renewSubjects(ctx context.Context, conn *pgxpool.Conn, keys *heldKeys, state *lockedState) error {
	for _, c := range state.conversations {
		if c.key != nil {
			continue
		}
		var err error
		if c.key, err = s.readSubject(ctx, conn, keys, c.visitor); err != nil {
			return err
		}
	}
	return nil
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
		batch.Queue(`UPDATE conversation c SET head = w.head, touched_at = `+touched("$3::timestamptz")+`
			FROM unnest($1::uuid[], $2::bigint[]) AS w (id, head)
			CROSS JOIN LATERAL (SELECT ctid AS place FROM conversation WHERE id = w.id OFFSET 0) held
			WHERE c.ctid = held.place`, ids, heads, p.state.now)
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
