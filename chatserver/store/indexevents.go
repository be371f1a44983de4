// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/searchtext"
)

// maxTokens bounds the different words of a message that can be searched for.
const maxTokens = 512

// tokenPeriod is how long a word keeps its token. Within a period a reader of the database sees which messages share a
// word, across periods they do not; and no search looks at more messages at once than a period has.
const tokenPeriod = 28 * 24 * time.Hour

func periodOf(at time.Time) int32 {
	days := at.Unix() / int64(tokenPeriod/time.Second)
	return int32(days) //nolint:gosec // Fits for some hundred million years.
}

func startOfPeriod(period int32) time.Time {
	return time.Unix(int64(period)*int64(tokenPeriod/time.Second), 0).UTC()
}

// indexEvent is an event as stored, and when the message was said that it is or is about.
type indexEvent struct {
	Conversation uuid.UUID
	Seq          int64
	ID           uuid.UUID
	Kind         string
	Target       pgtype.UUID
	AuthorKind   string
	Author       uuid.UUID
	Body         []byte
	MessageAt    time.Time
}

// indexMessage is a message whose words are to be stored.
type indexMessage struct {
	conversation, message uuid.UUID
	at                    time.Time
	// text is the event that has the text, the message itself or its last edit, and seq its place.
	text   uuid.UUID
	seq    int64
	tokens []seal.Token
}

func (w *indexWork) readEvents(ctx context.Context, tx pgx.Tx) error {
	var ids []uuid.UUID
	var seqs []int64
	for i := range w.due {
		ids, seqs = append(ids, w.due[i].ID), append(seqs, w.due[i].Seq)
	}
	rows, err := tx.Query(ctx, `
		SELECT e.conversation, e.seq, e.id, e.kind, e.target, e.author_kind, e.author, e.body, coalesce(m.at, e.at)
		FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS w (conversation, seq, place)
		JOIN LATERAL (
			SELECT * FROM event WHERE conversation = w.conversation AND seq > w.seq ORDER BY seq LIMIT $3
		) e ON true
		LEFT JOIN event m ON m.id = e.target
		ORDER BY w.place, e.seq LIMIT $3`, ids, seqs, indexEvents)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	if w.events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[indexEvent]); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	w.done.Events = len(w.events)
	w.done.More = w.done.More || len(w.events) == indexEvents
	return nil
}

// gather opens what was said and finds, of each message, the text that counts.
func (w *indexWork) gather() error {
	latest := map[uuid.UUID]*indexMessage{}
	for i := range w.events {
		row := &w.events[i]
		delete(latest, row.message())
		if row.Body == nil {
			continue
		}
		m, err := w.index(row)
		switch {
		case isLost(err, w.again):
			// It would not open another time either: waiting for it would hold up all others.
			w.done.Unreadable++
		case err != nil:
			return err
		default:
			latest[m.message] = m
		}
	}
	for i := range w.events {
		row := &w.events[i]
		if m, ok := latest[row.message()]; ok && m.text == row.ID {
			w.messages = append(w.messages, m)
		}
	}
	return nil
}

// message is the message that the event is or is about.
func (e *indexEvent) message() uuid.UUID {
	if e.Target.Valid {
		return e.Target.Bytes
	}
	return e.ID
}

// index makes the tokens of a text.
func (w *indexWork) index(row *indexEvent) (*indexMessage, error) {
	conversation := w.byID[row.Conversation]
	if err := w.open(conversation); err != nil {
		return nil, err
	}
	body, err := conversation.key.Open(bodyPlace(&Event{
		Conversation: row.Conversation, Seq: row.Seq, ID: row.ID, Kind: protocol.EventKind(row.Kind),
		Target: row.Target.Bytes, Author: Author{Kind: protocol.Kind(row.AuthorKind), ID: row.Author},
	}), row.Body)
	if err != nil {
		return nil, err
	}
	tokens, err := tokens(w.keys, w.key, periodOf(row.MessageAt), wordsToIndex(body))
	if err != nil {
		return nil, err
	}
	return &indexMessage{
		conversation: row.Conversation, message: row.message(), at: row.MessageAt, text: row.ID, seq: row.Seq, tokens: tokens,
	}, nil
}

// wordsToIndex are the different words of a text, not more than are stored of one.
func wordsToIndex(text redacted.String) []redacted.String {
	var words []redacted.String
	seen := map[string]bool{}
	for word := range searchtext.Words(text) {
		if form := word.Reveal(); !seen[form] && len(words) < maxTokens {
			seen[form] = true
			words = append(words, word.String)
		}
	}
	return words
}

// tokens are ordered by value: their order tells nothing of the words'.
func tokens(keys *heldKeys, key uint32, period int32, words []redacted.String) ([]seal.Token, error) {
	tokens, err := keys.Tokens(key, "search_message", "tokens", period, words)
	slices.Sort(tokens)
	return slices.Compact(tokens), err
}
