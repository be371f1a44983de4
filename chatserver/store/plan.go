// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// plan gives drafts their places. It is pure apart from new ids and nonces.
type plan struct {
	state    *lockedState
	permit   Permit
	outcomes []Outcome
	// fresh indexes the outcomes that must be written.
	fresh []int
}

// place decides what becomes of the next draft.
func (p *plan) place(d *Draft) {
	c, ok := p.state.conversations[d.Conversation]
	if !ok || !p.permit(d.Author, c.visitor) {
		p.outcomes = append(p.outcomes, Outcome{Err: ErrNotFound})
		return
	}
	if known, ok := p.state.known[d.key()]; ok {
		p.outcomes = append(p.outcomes, Outcome{Event: known, Visitor: c.visitor, Duplicate: true})
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		p.outcomes = append(p.outcomes, Outcome{Err: fmt.Errorf("make event id: %w", err)})
		return
	}
	c.head++
	e := Event{
		Conversation: d.Conversation, Seq: c.head, ID: id,
		Author: d.Author, ClientID: d.ClientID, Body: d.Body, At: p.state.now,
	}
	// A second copy of the same draft in this batch is a duplicate too.
	p.state.known[d.key()] = e
	p.fresh = append(p.fresh, len(p.outcomes))
	p.outcomes = append(p.outcomes, Outcome{Event: e, Visitor: c.visitor})
}

// heads lists the conversations that moved and their new heads.
func (p *plan) heads() (ids []uuid.UUID, heads []int64) {
	seen := map[uuid.UUID]bool{}
	for _, i := range p.fresh {
		id := p.outcomes[i].Event.Conversation
		if !seen[id] {
			seen[id] = true
			ids, heads = append(ids, id), append(heads, p.state.conversations[id].head)
		}
	}
	return ids, heads
}

// eventColumns is a batch of events, a slice per column.
type eventColumns struct {
	conversations, ids, authors, clientIDs []uuid.UUID
	seqs                                   []int64
	kinds                                  []string
	bodies                                 [][]byte
	ats                                    []time.Time
}

func (p *plan) seal() (*eventColumns, error) {
	var out eventColumns
	for _, i := range p.fresh {
		e := &p.outcomes[i].Event
		body, err := p.state.conversations[e.Conversation].key.Seal(bodyPlace(e), e.Body)
		if err != nil {
			return nil, err
		}
		out.conversations, out.ids = append(out.conversations, e.Conversation), append(out.ids, e.ID)
		out.authors, out.clientIDs = append(out.authors, e.Author.ID), append(out.clientIDs, e.ClientID)
		out.seqs, out.kinds = append(out.seqs, e.Seq), append(out.kinds, string(e.Author.Kind))
		out.bodies, out.ats = append(out.bodies, body), append(out.ats, e.At)
	}
	return &out, nil
}

func (c *eventColumns) queue(batch *pgx.Batch) {
	batch.Queue(`
		INSERT INTO event (conversation, seq, id, kind, author_kind, author, client_id, body, at)
		SELECT conversation, seq, id, 'message', author_kind, author, client_id, body, at
		FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bytea[],
			$8::timestamptz[]) AS w (conversation, seq, id, author_kind, author, client_id, body, at)`,
		c.conversations, c.seqs, c.ids, c.kinds, c.authors, c.clientIDs, c.bodies, c.ats)
}
