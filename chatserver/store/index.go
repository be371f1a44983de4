// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

const (
	// indexConversations and indexEvents bound one call of Index, and with them its memory and its locks.
	indexConversations = 50
	indexEvents        = 250
	// indexLock is the advisory lock of the replica that indexes.
	indexLock = 0x636861745f696478
)

// Indexed says what a call of Index found and did.
type Indexed struct {
	// Elsewhere says that another replica is at it: nothing was looked at.
	Elsewhere bool
	// Events is how many were read, Unreadable how many of them would not open. Those stay unsearchable.
	Events, Unreadable int
	// Backlog is how many events are still to be read.
	Backlog int64
	// More says that there are conversations left to look at.
	More bool
	// At is the database's clock before the look.
	At time.Time
	// Key is the key that new tokens are made with.
	Key uint32
}

// Index makes searchable what was written in conversations that changed since a time; the zero time means all of them,
// which also finds those indexed with a former key. It does a bounded piece of work, on one replica at a time, and says
// whether there is more. What it writes is derived from the events: it waits for no flush, and a crash takes a piece of
// work back as a whole.
func (s *Store) Index(ctx context.Context, since time.Time) (Indexed, error) {
	again := false
	done, err := withKeys(ctx, s, func(keys *heldKeys) (Indexed, error) {
		w := indexWork{store: s, keys: keys, key: keys.KeyIDs(seal.Index).Primary, again: again}
		again = true
		err := w.begin(ctx, since)
		return w.done, err
	})
	if err != nil {
		return Indexed{}, fmt.Errorf("index conversations: %w", err)
	}
	return done, nil
}

// indexWork is one call of Index.
type indexWork struct {
	store *Store
	keys  *heldKeys
	// key makes the indexes and tokens.
	key uint32
	// again says that the keysets were read again because of something that named a key they did not have.
	again bool
	done  Indexed

	due      []dueConversation
	byID     map[uuid.UUID]*dueConversation
	events   []indexEvent
	messages []*indexMessage
}

// dueConversation is one that has something unread.
type dueConversation struct {
	conversationRow
	// Seq is the last event read.
	Seq int64
	// Anew says that nothing was read with this key yet, the contact neither.
	Anew    bool
	Backlog int64

	key *seal.Key
}

// begin works in one transaction, unless another replica is at it.
func (w *indexWork) begin(ctx context.Context, since time.Time) error {
	w.done.Key = w.key
	return pgx.BeginFunc(ctx, w.store.pool, func(tx pgx.Tx) error {
		var mine bool
		err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1), clock_timestamp(),
			set_config('synchronous_commit', 'off', true)`, int64(indexLock)).Scan(&mine, &w.done.At, nil)
		if err != nil {
			return err
		}
		if w.done.Elsewhere = !mine; w.done.Elsewhere {
			return nil
		}
		return w.run(ctx, tx, since)
	})
}

func (w *indexWork) run(ctx context.Context, tx pgx.Tx, since time.Time) error {
	if err := w.findDue(ctx, tx, since); err != nil || len(w.due) == 0 {
		return err
	}
	if err := w.readEvents(ctx, tx); err != nil {
		return err
	}
	if err := w.gather(); err != nil {
		return err
	}
	if err := w.keepLiving(ctx, tx); err != nil {
		return err
	}
	return w.write(ctx, tx)
}

func (w *indexWork) findDue(ctx context.Context, tx pgx.Tx, since time.Time) error {
	rows, err := tx.Query(ctx, `
		SELECT *, sum(head - seq) OVER ()::bigint FROM (
			SELECT `+conversationColumns+`, CASE s.index_key WHEN $2 THEN s.seq ELSE 0 END AS seq,
				s.index_key IS DISTINCT FROM $2 AS anew
			`+fromConversation+` LEFT JOIN search_conversation s ON s.conversation = c.id
			WHERE c.touched_at >= $1
				AND (s.conversation IS NULL OR s.index_key = ANY($3) OR s.index_key = $2 AND s.seq < c.head)
			ORDER BY c.touched_at, c.id
		) due LIMIT $4`, since.Add(-touchGrain), int64(w.key), formerKeys(w.keys), indexConversations)
	if err != nil {
		return fmt.Errorf("find conversations: %w", err)
	}
	w.byID = map[uuid.UUID]*dueConversation{}
	w.due, err = pgx.CollectRows(rows, scanDue)
	if err != nil {
		return fmt.Errorf("find conversations: %w", err)
	}
	for i := range w.due {
		w.byID[w.due[i].ID] = &w.due[i]
		w.done.Backlog = w.due[i].Backlog
	}
	w.done.More = len(w.due) == indexConversations
	return nil
}

// formerKeys are those a rotation is replacing. What another replica made with a key that is not known here is left to
// it.
func formerKeys(keys *heldKeys) []int64 {
	former := []int64{}
	for _, key := range keys.KeyIDs(seal.Index).Others {
		former = append(former, int64(key))
	}
	return former
}

func scanDue(row pgx.CollectableRow) (d dueConversation, err error) {
	err = row.Scan(append(d.fields(), &d.Seq, &d.Anew, &d.Backlog)...)
	return d, err
}

// open opens a conversation's key. Of one that does not open nothing can be read.
func (w *indexWork) open(d *dueConversation) error {
	if d.key != nil {
		return nil
	}
	key, err := w.store.openSubject(w.keys, d.Visitor, d.Revision, d.Wrapped)
	if err == nil {
		d.key = key.Key
	}
	return err
}

// startIndex makes the contact of a new conversation searchable.
func startIndex(
	ctx context.Context, tx pgx.Tx, keys *heldKeys, row *conversationRow, contact Contact,
) error {
	var indexes contactIndexes
	if err := indexes.add(keys.Tenant, row.ID, contact); err != nil {
		return err
	}
	var batch pgx.Batch
	batch.Queue(`INSERT INTO search_conversation (conversation, visitor, index_key) VALUES ($1, $2, $3)`,
		row.ID, row.Visitor, int64(keys.KeyIDs(seal.Index).Primary))
	indexes.queue(&batch)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("index contact: %w", err)
	}
	return nil
}

func (i *contactIndexes) queue(batch *pgx.Batch) {
	if len(i.conversations) == 0 {
		return
	}
	batch.Queue(`
		INSERT INTO search_contact (conversation, field, value)
		SELECT w.* FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS w (conversation, field, value)
		JOIN search_conversation s ON s.conversation = w.conversation
		ORDER BY w.conversation, w.field
		ON CONFLICT (conversation, field) DO UPDATE SET value = excluded.value`, i.conversations, i.fields, i.values)
}
