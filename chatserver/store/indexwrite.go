// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// keepLiving locks the texts until the commit, so that a deletion that comes meanwhile finds their tokens and takes
// them along. Texts that a deletion has in hand are left out and not waited for: it might be waiting for ours.
func (w *indexWork) keepLiving(ctx context.Context, tx pgx.Tx) error {
	var texts []uuid.UUID
	for _, m := range w.messages {
		texts = append(texts, m.text)
	}
	rows, err := tx.Query(ctx, `
		SELECT id FROM event WHERE id = ANY($1) AND body IS NOT NULL FOR SHARE SKIP LOCKED`, texts)
	if err != nil {
		return fmt.Errorf("lock texts: %w", err)
	}
	living := map[uuid.UUID]bool{}
	var id uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { living[id] = true; return nil }); err != nil {
		return fmt.Errorf("lock texts: %w", err)
	}
	w.advance(living)
	w.messages = slices.DeleteFunc(w.messages, func(m *indexMessage) bool { return !living[m.text] })
	return nil
}

// advance moves each conversation to its last event read, or to before the first text that was left out: the next look
// finds whether it is still there.
func (w *indexWork) advance(living map[uuid.UUID]bool) {
	limit := map[uuid.UUID]int64{}
	for _, m := range w.messages {
		if before, ok := limit[m.conversation]; !living[m.text] && (!ok || m.seq <= before) {
			limit[m.conversation] = m.seq - 1
		}
	}
	for i := range w.events {
		d, seq := w.byID[w.events[i].Conversation], w.events[i].Seq
		if before, ok := limit[d.ID]; (!ok || seq <= before) && seq > d.Seq {
			w.done.Backlog -= seq - d.Seq
			d.Seq = seq
		}
	}
	w.done.More = w.done.More || len(limit) > 0
}

// write stores what was made of the events and how far they were read, in one commit.
func (w *indexWork) write(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	w.queuePositions(&batch)
	if err := w.queueContacts(&batch); err != nil {
		return err
	}
	w.queueMessages(&batch)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

// queuePositions leaves out conversations whose visitor was erased meanwhile, as everything after it does then.
func (w *indexWork) queuePositions(batch *pgx.Batch) {
	var ids, visitors []uuid.UUID
	var seqs []int64
	for i := range w.due {
		d := &w.due[i]
		ids, visitors, seqs = append(ids, d.ID), append(visitors, d.Visitor), append(seqs, d.Seq)
	}
	batch.Queue(`
		INSERT INTO search_conversation (conversation, visitor, index_key, seq)
		SELECT w.conversation, w.visitor, $4, w.seq
		FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS w (conversation, visitor, seq)
		JOIN subject_key k ON k.visitor = w.visitor
		ORDER BY w.conversation
		ON CONFLICT (conversation) DO UPDATE SET index_key = excluded.index_key, seq = excluded.seq`,
		ids, visitors, seqs, int64(w.key))
}

// queueContacts makes the contacts of conversations searchable that were opened before there was a search, or indexed
// with another key.
func (w *indexWork) queueContacts(batch *pgx.Batch) error {
	var indexes contactIndexes
	for i := range w.due {
		d := &w.due[i]
		if !d.Anew {
			continue
		}
		if err := w.addContact(&indexes, d); isLost(err, w.again) {
			w.done.Unreadable++
		} else if err != nil {
			return err
		}
	}
	indexes.queue(batch)
	return nil
}

func (w *indexWork) addContact(indexes *contactIndexes, d *dueConversation) error {
	if err := w.open(d); err != nil {
		return err
	}
	contact, err := openContact(d.key, &d.conversationRow)
	if err != nil {
		return err
	}
	return indexes.add(w.keys.Tenant, d.ID, contact)
}

func (w *indexWork) queueMessages(batch *pgx.Batch) {
	var conversations, messages []uuid.UUID
	var ats []time.Time
	var tokens []string
	var periods []int32
	for _, m := range w.messages {
		conversations, messages = append(conversations, m.conversation), append(messages, m.message)
		ats, tokens = append(ats, m.at), append(tokens, arrayLiteral(m.tokens))
		periods = append(periods, periodOf(m.at))
	}
	if len(messages) == 0 {
		return
	}
	batch.Queue(`INSERT INTO search_period SELECT DISTINCT unnest($1::integer[]) ON CONFLICT DO NOTHING`, periods)
	batch.Queue(`
		INSERT INTO search_message (conversation, message, at, tokens)
		SELECT w.conversation, w.message, w.at, w.tokens::integer[]
		FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) AS w (conversation, message, at, tokens)
		JOIN search_conversation s ON s.conversation = w.conversation
		ON CONFLICT (conversation, message) DO UPDATE SET tokens = excluded.tokens`, conversations, messages, ats, tokens)
}

// arrayLiteral is how PostgreSQL writes an array: arrays of arrays of different lengths have no other form.
func arrayLiteral(tokens []seal.Token) string {
	out := []byte{'{'}
	for i, token := range tokens {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(token), 10)
	}
	return string(append(out, '}'))
}
