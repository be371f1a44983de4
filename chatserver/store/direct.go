// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// sort tells the drafts, by index, that may be stored directly from those that need a look first: edits and deletions,
// and whatever shares a conversation with them; conversations of which this replica remembers too little; authors who
// may not write there, to whom the answer must not differ from that for a conversation that does not exist.
func (a *appending) sort() (direct, locked []int) {
	look := map[uuid.UUID]bool{}
	for i := range a.drafts {
		d := &a.drafts[i]
		look[d.Conversation] = look[d.Conversation] || !a.isPlain(d)
	}
	for i := range a.drafts {
		if look[a.drafts[i].Conversation] {
			locked = append(locked, i)
		} else {
			direct = append(direct, i)
		}
	}
	return direct, locked
}

func (a *appending) isPlain(d *Draft) bool {
	if d.Target != uuid.Nil || (d.Kind != "" && d.Kind != protocol.KindMessage) {
		return false
	}
	known, ok := a.store.heads.get(d.Conversation)
	if !ok || !a.permit(d.Author, known.visitor) {
		return false
	}
	_, ok = a.store.cachedSubject(known.visitor, 0)
	return ok
}

// appendDirect stores the drafts of indexes if their conversations end where this replica remembers. It returns the
// indexes of those for which nothing was done.
func (a *appending) appendDirect(ctx context.Context, indexes []int) (missed []int, err error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	p := plan{state: a.remembered(indexes), permit: a.permit}
	for _, i := range indexes {
		p.place(&a.drafts[i])
	}
	written, err := a.store.writeDirect(ctx, a.conn, &p)
	if err != nil {
		a.forget(&p)
		if isDuplicate(err) {
			return indexes, nil
		}
		return nil, err
	}
	a.epoch = written.epoch
	return a.settle(&p, indexes, written), nil
}

// remembered is the state that the database is expected to be in.
func (a *appending) remembered(indexes []int) *lockedState {
	state := &lockedState{conversations: map[uuid.UUID]*lockedConversation{}, known: map[draftKey]Event{}}
	for _, i := range indexes {
		id := a.drafts[i].Conversation
		if state.conversations[id] != nil {
			continue
		}
		known, ok := a.store.heads.get(id)
		key, cached := a.store.cachedSubject(known.visitor, 0)
		if ok && cached {
			state.conversations[id] = &lockedConversation{
				visitor: known.visitor, was: known.seq, head: known.seq, key: key,
			}
		}
	}
	return state
}

// settle notes what was written and returns the rest.
func (a *appending) settle(p *plan, indexes []int, written *writtenDirect) (missed []int) {
	moved := map[uuid.UUID]bool{}
	for _, id := range written.moved {
		moved[id] = true
		c := p.state.conversations[id]
		a.store.heads.set(id, head{c.visitor, c.head})
	}
	for k, i := range indexes {
		if !moved[a.drafts[i].Conversation] {
			missed = append(missed, i)
			continue
		}
		a.outcomes[i] = p.outcomes[k]
		a.outcomes[i].Event.At = written.at
	}
	return missed
}

func (a *appending) forget(p *plan) {
	for id := range p.state.conversations {
		a.store.heads.forget(id)
	}
}

// writtenDirect is what the statement answered.
type writtenDirect struct {
	epoch int64
	at    time.Time
	moved []uuid.UUID
}

// writeDirect moves the heads that are where the plan expects them and stores the events of those conversations. A head
// that another replica is moving is left out rather than waited for: it will not match, and whoever waits for nobody is
// part of no deadlock. So is a conversation whose visitor's key was replaced since the bodies were sealed. The lateral
// join and the row's place leave the planner no choice but to look up each conversation by its key.
func (s *Store) writeDirect(ctx context.Context, conn *pgxpool.Conn, p *plan) (*writtenDirect, error) {
	rows, err := p.seal()
	if err != nil {
		return nil, err
	}
	ids, was, now, keys := p.moves()
	var out writtenDirect
	err = conn.QueryRow(ctx, `
		WITH clock AS MATERIALIZED (SELECT date_trunc('milliseconds', clock_timestamp()) AS at),
		held AS (
			SELECT c.place, w.now
			FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $13::bigint[]) AS w (id, was, now, key)
			CROSS JOIN LATERAL (
				SELECT ctid AS place FROM conversation
				WHERE id = w.id AND head = w.was AND key_revision = w.key AND closed_at IS NULL
				FOR NO KEY UPDATE SKIP LOCKED
			) c
		), moved AS (
			UPDATE conversation c SET head = held.now, touched_at = `+touched("clock.at")+`
			FROM held, clock WHERE c.ctid = held.place
			RETURNING c.id
		), added AS (
			INSERT INTO event (conversation, seq, id, kind, author_kind, author, client_id, body, at)
			SELECT w.conversation, w.seq, w.id, 'message', w.author_kind, w.author, w.client_id, w.body, clock.at
			FROM unnest($4::uuid[], $5::bigint[], $6::uuid[], $7::text[], $8::uuid[], $9::uuid[], $10::bytea[])
				AS w (conversation, seq, id, author_kind, author, client_id, body), clock
			WHERE (w.conversation IN (SELECT id FROM moved)) IS TRUE
		)
		SELECT i.epoch, clock.at, ARRAY(SELECT id FROM moved), pg_notify($11, $12) IS NULL
		FROM instance i, clock WHERE i.singleton`,
		ids, was, now, rows.conversations, rows.seqs, rows.ids, rows.authorKinds, rows.authors, rows.clientIDs,
		rows.bodies, channelEvents, s.payload(ids...), keys).Scan(&out.epoch, &out.at, &out.moved, nil)
	if err != nil {
		return nil, fmt.Errorf("append events: %w", err)
	}
	return &out, nil
}

// moves lists the conversations with their heads before and after and the revisions of the keys that sealed.
func (p *plan) moves() (ids []uuid.UUID, was, now, keys []int64) {
	for id, c := range p.state.conversations {
		ids, was, now = append(ids, id), append(was, c.was), append(now, c.head)
		keys = append(keys, c.key.revision)
	}
	return ids, was, now, keys
}

// uniqueViolation is the SQLSTATE of a row that is already there.
const uniqueViolation = "23505"

// isDuplicate tells that a message of the statement was stored before, so that it has done nothing.
func isDuplicate(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == uniqueViolation
}
