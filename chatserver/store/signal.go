// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Participation is somebody in a conversation of a visitor.
type Participation struct {
	Conversation uuid.UUID
	Kind         protocol.Kind
	ID           uuid.UUID
}

// Receipt says how far a participant has received and read a conversation.
type Receipt struct {
	Participation
	Delivered, Read int64
}

// Typing says that a participant began or stopped writing. It is never stored.
type Typing struct {
	Participation
	Visitor uuid.UUID
	Typing  bool
}

// Signals are what replicas tell each other besides events.
type Signals struct {
	Receipts []Receipt
	Typing   []Typing
}

// MaxSignals is the most of each kind that fit one notification.
const MaxSignals = 48

// Tell stores receipts, each of which only grows, and tells the other replicas. A crash of the database may take back
// the last ones: they are worth no flush, and clients tell theirs again.
func (s *Store) Tell(ctx context.Context, signals Signals) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var batch pgx.Batch
		batch.Queue(`SET LOCAL synchronous_commit TO off`)
		for chunk := range slices.Chunk(signals.Receipts, MaxSignals) {
			s.queueReceipts(&batch, chunk)
		}
		for chunk := range slices.Chunk(signals.Typing, MaxSignals) {
			batch.Queue(`SELECT pg_notify($1, $2)`, channelTyping, s.typingPayload(chunk))
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
	if err != nil {
		return fmt.Errorf("tell other replicas: %w", err)
	}
	return nil
}

// queueReceipts leaves out conversations that are gone meanwhile.
func (s *Store) queueReceipts(batch *pgx.Batch, receipts []Receipt) {
	var conversations, readers []uuid.UUID
	var kinds []string
	var delivered, read []int64
	for i := range receipts {
		r := &receipts[i]
		conversations, readers = append(conversations, r.Conversation), append(readers, r.ID)
		kinds = append(kinds, string(r.Kind))
		delivered, read = append(delivered, r.Delivered), append(read, r.Read)
	}
	// Ordered, so that two replicas with the same readers cannot deadlock.
	batch.Queue(`INSERT INTO receipt AS r (conversation, reader_kind, reader, delivered, read)
		SELECT w.conversation, w.kind, w.reader, w.delivered, w.read
		FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[])
			AS w (conversation, kind, reader, delivered, read)
		JOIN conversation c ON c.id = w.conversation
		ORDER BY w.conversation, w.reader
		ON CONFLICT (conversation, reader) DO UPDATE
		SET delivered = greatest(r.delivered, excluded.delivered), read = greatest(r.read, excluded.read)`,
		conversations, kinds, readers, delivered, read)
	batch.Queue(`SELECT pg_notify($1, $2)`, channelReceipts, s.payload(conversations...))
}

// Receipts returns everybody's receipts of conversations.
func (s *Store) Receipts(ctx context.Context, conversations []uuid.UUID) ([]Receipt, error) {
	rows, err := s.pool.Query(ctx, selectReceipts, conversations)
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	receipts, err := collectReceipts(rows)
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return receipts, nil
}

const selectReceipts = `SELECT conversation, reader_kind, reader, delivered, read FROM receipt
	WHERE conversation = ANY($1)`

func collectReceipts(rows pgx.Rows) ([]Receipt, error) {
	var out []Receipt
	var r Receipt
	into := []any{&r.Conversation, &r.Kind, &r.ID, &r.Delivered, &r.Read}
	_, err := pgx.ForEachRow(rows, into, func() error { out = append(out, r); return nil })
	return out, err
}

// Company returns everybody's receipts of conversations, and the agents who have written in them.
func (s *Store) Company(ctx context.Context, conversations []uuid.UUID) ([]Receipt, []Participation, error) {
	var receipts []Receipt
	var agents []Participation
	var batch pgx.Batch
	batch.Queue(selectReceipts, conversations).Query(func(rows pgx.Rows) (err error) {
		receipts, err = collectReceipts(rows)
		return err
	})
	// A probe of the index for each agent: a conversation may have many more events than a tenant has agents.
	batch.Queue(`SELECT c.id, 'agent', a.id FROM unnest($1::uuid[]) AS c (id) CROSS JOIN agent a
		WHERE EXISTS (SELECT FROM event e WHERE e.conversation = c.id AND e.author = a.id)`, conversations).
		Query(func(rows pgx.Rows) (err error) {
			agents, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Participation])
			return err
		})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, nil, fmt.Errorf("read who takes part: %w", err)
	}
	return receipts, agents, nil
}

// typingPayload is the sending replica, then five words for each: ids, who, and whether.
func (s *Store) typingPayload(typing []Typing) string {
	var b strings.Builder
	b.WriteString(s.replica.String())
	for i := range typing {
		t := &typing[i]
		fmt.Fprintf(&b, " %s %s %s %s %t", t.Conversation, t.Visitor, t.Kind, t.ID, t.Typing)
	}
	return b.String()
}

// parseTyping ignores what it cannot read: whoever writes is told of again.
func parseTyping(payload string) (sender uuid.UUID, typing []Typing) {
	const words = 5
	fields := strings.Fields(payload)
	if len(fields) == 0 || (len(fields)-1)%words != 0 {
		return uuid.Nil, nil
	}
	sender, err := uuid.Parse(fields[0])
	if err != nil {
		return uuid.Nil, nil
	}
	for f := range slices.Chunk(fields[1:], words) {
		conversation, err1 := uuid.Parse(f[0])
		visitor, err2 := uuid.Parse(f[1])
		id, err3 := uuid.Parse(f[3])
		if err1 != nil || err2 != nil || err3 != nil {
			return uuid.Nil, nil
		}
		who := Participation{Conversation: conversation, Kind: protocol.Kind(f[2]), ID: id}
		if who.Kind != protocol.Visitor && who.Kind != protocol.Agent {
			return uuid.Nil, nil
		}
		typing = append(typing, Typing{Participation: who, Visitor: visitor, Typing: f[4] == "true"})
	}
	return sender, typing
}
