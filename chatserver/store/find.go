// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// findPeriods is how many periods one FindMessages looks at: about a year.
const findPeriods = 13

// Spot is a place in a list that is ordered by time, newest first: everything before it is older. The zero Spot is
// where the list begins.
type Spot struct {
	At time.Time
	ID uuid.UUID
}

// orNewest is the spot as the database compares it: the first one comes after everything.
func (s Spot) orNewest() Spot {
	if s.At.IsZero() {
		return Spot{At: time.Unix(math.MaxInt32*2, 0).UTC(), ID: uuid.Max}
	}
	return s
}

// ContactValue is what a conversation's contact must have. The zero value is no condition.
type ContactValue struct {
	Field ContactField
	Value redacted.String
}

// Hit is a conversation, or a message in it, that was found.
type Hit struct {
	Conversation Conversation
	// Message is the message's event, Seq its place and Text what it says now; zero if only the conversation was found.
	Message uuid.UUID
	Seq     int64
	At      time.Time
	Text    redacted.String
}

// Found is a part of what a search finds, newest first.
type Found struct {
	Hits []Hit
	// Next is where the rest begins, nil if there is none. Hits may be empty and Next not.
	Next *Spot
}

// FindConversations finds conversations by what the visitor said about themselves.
func (s *Store) FindConversations(ctx context.Context, contact ContactValue, before Spot, limit int) (Found, error) {
	return s.find(ctx, func(ctx context.Context, f *finder) (Found, error) {
		return f.conversations(ctx, contact, before.orNewest(), limit)
	})
}

// finder is a search with the keysets of its time.
type finder struct {
	store *Store
	keys  *heldKeys
	// again says that the keysets were read again because of something that named a key they did not have.
	again bool
}

// find searches, and searches again if the keysets were out of date: what was indexed with a key that is not known here
// would be missing without a word.
func (s *Store) find(ctx context.Context, search func(context.Context, *finder) (Found, error)) (Found, error) {
	again := false
	return withKeys(ctx, s, func(keys *heldKeys) (Found, error) {
		f := finder{store: s, keys: keys, again: again}
		again = true
		found, err := search(ctx, &f)
		if err != nil {
			return Found{}, err
		}
		err = s.checkKeys(ctx, keys)
		if errors.Is(err, errStale) && s.renewKeys(ctx) != nil {
			// Keysets that do not open here are not indexed with either: this replica holds that up.
			err = nil
		}
		return found, err
	})
}

func (f *finder) conversations(ctx context.Context, contact ContactValue, before Spot, limit int) (Found, error) {
	indexes, err := f.contactIndexes(contact)
	if err != nil {
		return Found{}, err
	}
	list, err := f.store.listConversations(ctx, f.keys, `SELECT `+conversationColumns+fromConversation+`
		JOIN search_contact i ON i.conversation = c.id
		WHERE i.field = $1 AND i.value = ANY($2) AND (c.opened_at, c.id) < ($3, $4)
		ORDER BY c.opened_at DESC, c.id DESC LIMIT $5`, string(contact.Field), indexes, before.At, before.ID, limit)
	if err != nil {
		return Found{}, err
	}
	var found Found
	for i := range list {
		found.Hits = append(found.Hits, Hit{Conversation: list[i], At: list[i].OpenedAt})
	}
	if len(list) == limit {
		last := &list[len(list)-1]
		found.Next = &Spot{At: last.OpenedAt, ID: last.ID}
	}
	return found, nil
}

// contactIndexes are what a contact's value is stored as, nil for no condition.
func (f *finder) contactIndexes(contact ContactValue) ([][]byte, error) {
	if contact.Field == "" {
		return nil, nil
	}
	form, ok := forms[contact.Field]
	if !ok {
		return nil, fmt.Errorf("look up %q: %w", contact.Field, ErrNotFound)
	}
	return f.keys.BlindIndexes("conversation", string(contact.Field), form(contact.Value))
}

// MessageQuery asks for messages.
type MessageQuery struct {
	// Words must all be said, in the form that searchtext gives them.
	Words   []redacted.String
	Contact ContactValue
	Before  Spot
	// Limit bounds the hits.
	Limit int
}

// FindMessages finds messages that may have all words: tokens are short, and an edit may have taken a word away that
// still has one, so the caller looks at the texts. It does a bounded piece of work and says where the rest begins.
func (s *Store) FindMessages(ctx context.Context, q *MessageQuery) (Found, error) {
	return s.find(ctx, func(ctx context.Context, f *finder) (Found, error) { return f.messages(ctx, q) })
}

func (f *finder) messages(ctx context.Context, q *MessageQuery) (Found, error) {
	before := q.Before.orNewest()
	periods, err := f.store.periods(ctx, before.At)
	if err != nil || len(periods) == 0 {
		return Found{}, err
	}
	spots, err := f.candidates(ctx, q, before, periods)
	if err != nil {
		return Found{}, fmt.Errorf("find messages: %w", err)
	}
	found := Found{}
	switch {
	case len(spots) == q.Limit:
		found.Next = &spots[len(spots)-1]
	case len(periods) == findPeriods:
		// Nothing is older than the beginning of a period and in it.
		found.Next = &Spot{At: startOfPeriod(periods[len(periods)-1])}
	}
	found.Hits, err = f.openHits(ctx, spots)
	if err != nil {
		return Found{}, fmt.Errorf("read found messages: %w", err)
	}
	return found, nil
}

// periods lists the latest periods that have something before a time, newest first.
func (s *Store) periods(ctx context.Context, before time.Time) ([]int32, error) {
	rows, err := s.pool.Query(ctx, `SELECT period FROM search_period WHERE period <= $1 ORDER BY period DESC LIMIT $2`,
		periodOf(before), findPeriods)
	if err != nil {
		return nil, fmt.Errorf("list search periods: %w", err)
	}
	periods, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return nil, fmt.Errorf("list search periods: %w", err)
	}
	return periods, nil
}

// candidates looks the tokens up, in the newest period first and then in all others: most searches end in the first.
func (f *finder) candidates(
	ctx context.Context, q *MessageQuery, before Spot, periods []int32,
) ([]Spot, error) {
	indexes, err := f.contactIndexes(q.Contact)
	if err != nil {
		return nil, err
	}
	var spots []Spot
	for _, part := range [][]int32{periods[:1], periods[1:]} {
		sets, err := f.tokenSets(part, q.Words)
		if err != nil {
			return nil, err
		}
		if len(sets) == 0 || len(spots) == q.Limit {
			break
		}
		rows, err := f.store.pool.Query(ctx, `
			SELECT DISTINCT m.at, m.message FROM unnest($1::text[]) AS w (tokens)
			JOIN LATERAL (
				SELECT at, message FROM search_message
				WHERE tokens @> w.tokens::integer[] AND (at, message) < ($2, $3)
					AND ($5 = '' OR conversation IN (SELECT conversation FROM search_contact WHERE field = $5 AND value = ANY($6)))
				ORDER BY at DESC, message DESC LIMIT $4
			) m ON true
			ORDER BY m.at DESC, m.message DESC LIMIT $4`,
			sets, before.At, before.ID, q.Limit-len(spots), string(q.Contact.Field), indexes)
		if err != nil {
			return nil, err
		}
		more, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Spot])
		if err != nil {
			return nil, err
		}
		spots = append(spots, more...)
	}
	return spots, nil
}

// tokenSets has a set for each period and key that messages may have been indexed with.
func (f *finder) tokenSets(periods []int32, words []redacted.String) ([]string, error) {
	var sets []string
	for _, period := range periods {
		for _, key := range f.keys.KeyIDs(seal.Index).All() {
			tokens, err := tokens(f.keys, key, period, words)
			if err != nil {
				return nil, err
			}
			sets = append(sets, arrayLiteral(tokens))
		}
	}
	return sets, nil
}

// hitRow is a found message with the conversation it is in.
type hitRow struct {
	conversation conversationRow
	hit          Hit
	// text is the event that has what the message says now.
	text       Event
	textTarget uuid.NullUUID
	body       []byte
}

// openHits reads found messages, in the order given. One that was deleted meanwhile is left out, and so is one that
// does not open: who reads the conversation is told of that.
func (f *finder) openHits(ctx context.Context, spots []Spot) ([]Hit, error) {
	var ids []uuid.UUID
	for _, spot := range spots {
		ids = append(ids, spot.ID)
	}
	rows, err := f.store.pool.Query(ctx, `
		SELECT `+conversationColumns+`, e.id, e.seq, e.at, t.id, t.seq, t.kind, t.target, t.author_kind, t.author, t.body
		FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, place)
		JOIN event e ON e.id = w.id
		JOIN conversation c ON c.id = e.conversation
		JOIN subject_key k ON k.visitor = c.visitor
		JOIN LATERAL (
			SELECT * FROM event WHERE conversation = e.conversation AND (id = e.id OR target = e.id)
			ORDER BY seq DESC LIMIT 1
		) t ON t.body IS NOT NULL
		ORDER BY w.place`, ids)
	if err != nil {
		return nil, err
	}
	stored, err := pgx.CollectRows(rows, scanHit)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for i := range stored {
		err := f.openHit(&stored[i])
		switch {
		case err == nil:
			hits = append(hits, stored[i].hit)
		case !isLost(err, f.again):
			return nil, err
		}
	}
	return slices.Clip(hits), nil
}

func scanHit(row pgx.CollectableRow) (h hitRow, err error) {
	c, t := &h.conversation, &h.text
	err = row.Scan(append(c.fields(), &h.hit.Message, &h.hit.Seq, &h.hit.At,
		&t.ID, &t.Seq, &t.Kind, &h.textTarget, &t.Author.Kind, &t.Author.ID, &h.body)...)
	t.Conversation, t.Target = c.ID, h.textTarget.UUID
	return h, err
}

func (f *finder) openHit(h *hitRow) (err error) {
	c := &h.conversation
	if h.hit.Conversation, err = f.store.unsealConversation(f.keys, c); err != nil {
		return err
	}
	key, err := f.store.openSubject(f.keys, c.Visitor, c.Revision, c.Wrapped)
	if err != nil {
		return err
	}
	h.hit.Text, err = key.Open(bodyPlace(&h.text), h.body)
	return err
}
