// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
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

// draftKey is what may exist once.
type draftKey struct{ conversation, author, clientID uuid.UUID }

func (d *Draft) key() draftKey { return draftKey{d.Conversation, d.Author.ID, d.ClientID} }

// Outcome is what became of a Draft.
type Outcome struct {
	// Event is the stored message. Of a duplicate only Conversation, Seq, ID, ClientID and At are set.
	Event Event
	// Visitor is whose conversation it is.
	Visitor   uuid.UUID
	Duplicate bool
	// Err is ErrNotFound if the conversation does not exist, is closed, or the author may not write to it, or if it has
	// no such message any more; ErrNotAuthor if the message is somebody else's. Anything else says that it is unknown
	// whether this draft was stored, while others were.
	Err error
}

// Appended is the result of one call.
type Appended struct {
	Epoch int64
	// Outcomes has one entry per draft, in their order.
	Outcomes []Outcome
}

// MaxAppend is the most drafts one Append takes: their conversations' ids must fit one notification.
const MaxAppend = 128

// Permit decides whether author may write to a conversation of visitor.
type Permit func(author Author, visitor uuid.UUID) bool

// Append gives each draft the next place of its conversation. What an Outcome shows is on disk; when Append, or an
// Outcome, has an error that says nothing about the draft, whether it was stored is unknown, and appending the same
// draft again is the way to find out: a (conversation, author, client id) exists once.
//
// Messages for conversations whose head this replica remembers take one statement, which is its own transaction: it
// stores them if the heads are still those, and leaves out the conversations where they are not. What was left out, and
// everything else, takes a transaction of two round trips that locks and looks first.
func (s *Store) Append(ctx context.Context, drafts []Draft, permit Permit) (Appended, error) {
	conn, err := s.writer.Acquire(ctx)
	if err != nil {
		return Appended{}, fmt.Errorf("get connection: %w", err)
	}
	// A connection left inside a transaction is closed by the pool, which rolls it back.
	defer conn.Release()
	a := appending{store: s, conn: conn, permit: permit, drafts: drafts, outcomes: make([]Outcome, len(drafts))}
	direct, locked := a.sort()
	missed, err := a.appendDirect(ctx, direct)
	if err != nil {
		return Appended{}, err
	}
	if locked = append(locked, missed...); len(locked) > 0 {
		err = a.appendLocked(ctx, locked)
	}
	if err != nil && len(missed) == len(direct) {
		return Appended{}, err
	}
	a.blame(locked, err)
	s.ringWritten()
	return Appended{Epoch: a.epoch, Outcomes: a.outcomes}, nil
}

// appending is one call of Append.
type appending struct {
	store    *Store
	conn     *pgxpool.Conn
	permit   Permit
	drafts   []Draft
	outcomes []Outcome
	epoch    int64
}

// blame gives err to the drafts that a failed transaction left in doubt, while others are stored.
func (a *appending) blame(indexes []int, err error) {
	if err == nil {
		return
	}
	for _, i := range indexes {
		a.outcomes[i] = Outcome{Err: err}
	}
}
