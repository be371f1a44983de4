// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/chattenant/chattenant/chatserver/protocol"
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
	if err := p.aim(d); err != nil {
		p.outcomes = append(p.outcomes, Outcome{Err: err})
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		p.outcomes = append(p.outcomes, Outcome{Err: fmt.Errorf("make event id: %w", err)})
		return
	}
	c.head++
	e := Event{
		Conversation: d.Conversation, Seq: c.head, ID: id, Kind: cmp.Or(d.Kind, protocol.KindMessage), Target: d.Target,
		Author: d.Author, ClientID: d.ClientID, Body: d.Body, At: p.state.now,
	}
	// A second copy of the same draft in this batch is a duplicate too.
	p.state.known[d.key()] = e
	p.fresh = append(p.fresh, len(p.outcomes))
	p.outcomes = append(p.outcomes, Outcome{Event: e, Visitor: c.visitor})
}

// aim finds the message that an edit or a deletion is about and notes what becomes of it.
func (p *plan) aim(d *Draft) error {
	if d.Target == uuid.Nil {
		return nil
	}
	m, ok := p.state.messages[d.Target]
	switch {
	case !ok || m.erased || m.conversation != d.Conversation:
		return ErrNotFound
	case m.author != d.Author.ID:
		return ErrNotAuthor
	}
	m.erased = d.Kind == protocol.KindDeletion
	return nil
}

// queueErasure takes away the texts of deleted messages and of their edits, also of edits of the same commit, and the
// tokens of their words. The tokens are a statement of their own, after the texts: the indexer locks the texts whose
// tokens it writes, and what it wrote shows only to a statement that began after it was waited for.
func (p *plan) queueErasure(batch *pgx.Batch) {
	var conversations, targets []uuid.UUID
	for _, i := range p.fresh {
		if e := &p.outcomes[i].Event; e.Kind == protocol.KindDeletion {
			conversations, targets = append(conversations, e.Conversation), append(targets, e.Target)
		}
	}
	if len(targets) > 0 {
		batch.Queue(`UPDATE event SET body = NULL
			WHERE conversation = ANY($1) AND (id = ANY($2) OR target = ANY($2)) AND body IS NOT NULL`, conversations, targets)
		batch.Queue(`DELETE FROM search_message WHERE conversation = ANY($1) AND message = ANY($2)`, conversations, targets)
	}
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
	authorKinds, kinds                     []string
	targets                                []pgtype.UUID
	bodies                                 [][]byte
	ats                                    []time.Time
}

func (p *plan) seal() (*eventColumns, error) {
	var out eventColumns
	for _, i := range p.fresh {
		e := &p.outcomes[i].Event
		body, err := p.sealBody(e)
		if err != nil {
			return nil, err
		}
		out.conversations, out.ids = append(out.conversations, e.Conversation), append(out.ids, e.ID)
		out.authors, out.clientIDs = append(out.authors, e.Author.ID), append(out.clientIDs, e.ClientID)
		out.seqs, out.authorKinds = append(out.seqs, e.Seq), append(out.authorKinds, string(e.Author.Kind))
		out.kinds = append(out.kinds, string(e.Kind))
		out.targets = append(out.targets, pgtype.UUID{Bytes: e.Target, Valid: e.Target != uuid.Nil})
		out.bodies, out.ats = append(out.bodies, body), append(out.ats, e.At)
	}
	return &out, nil
}

// sealBody is nil for a deletion, which has no text.
func (p *plan) sealBody(e *Event) ([]byte, error) {
	if e.Kind == protocol.KindDeletion {
		return nil, nil
	}
	return p.state.conversations[e.Conversation].key.Seal(bodyPlace(e), e.Body)
}

func (c *eventColumns) queue(batch *pgx.Batch) {
	batch.Queue(`
		INSERT INTO event (conversation, seq, id, kind, target, author_kind, author, client_id, body, at)
		SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::uuid[],
			$8::uuid[], $9::bytea[], $10::timestamptz[])`,
		c.conversations, c.seqs, c.ids, c.kinds, c.targets, c.authorKinds, c.authors, c.clientIDs, c.bodies, c.ats)
}
