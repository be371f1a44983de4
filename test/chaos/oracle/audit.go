// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Row is one event as the database has it.
type Row struct {
	Conversation         uuid.UUID
	Seq                  int64
	ID, Author, ClientID uuid.UUID
}

// Audit compares the database with the record. Rows are ordered by conversation and seq and are all there is; heads are
// the conversations' own counters. Nothing may be under way any more.
func (o *Oracle) Audit(rows []Row, heads map[uuid.UUID]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	stored := map[place]bool{}
	last := map[uuid.UUID]int64{}
	for _, row := range rows {
		at := place{row.Conversation, row.Seq}
		if row.Seq != last[row.Conversation]+1 {
			o.violated("%s: in the database it follows %d", at, last[row.Conversation])
		}
		last[row.Conversation], stored[at] = row.Seq, true
		o.auditRow(at, &row)
	}
	for id, head := range heads {
		if head != last[id] {
			o.violated("conversation %s: the database counts %d and has %d", id, head, last[id])
		}
	}
	for at, e := range o.current.entries {
		if !stored[at] {
			o.violated("%s: %s (message %s) was known to %s and is not in the database", at, e.id, e.clientID, e.by)
		}
	}
}

func (o *Oracle) auditRow(at place, row *Row) {
	switch s := o.sent[row.ClientID]; {
	case s == nil || s.Conversation != row.Conversation || s.Author != row.Author:
		o.violated("%s: the database has message %s, which its author did not send there", at, row.ClientID)
	case s.ack == nil:
		o.violated("%s: the database has message %s, which was never acknowledged", at, row.ClientID)
	}
	o.stands(o.current, at, entry{id: row.ID, author: row.Author, clientID: row.ClientID, by: "the database"})
}

// Head is the highest place known of a conversation.
func (o *Oracle) Head(conversation uuid.UUID) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current.heads[conversation]
}

// Unanswered says which message waits longest for its acknowledgement, or "" if none does.
func (o *Oracle) Unanswered() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var first *sent
	waiting := 0
	for _, s := range o.sent {
		if s.ack != nil || s.lost {
			continue
		}
		waiting++
		if first == nil || s.at.Before(first.at) {
			first = s
		}
	}
	if first == nil && len(o.unchanged) > 0 {
		return fmt.Sprintf("%d edits and deletions have no answer", len(o.unchanged))
	}
	if first == nil {
		return ""
	}
	waited := o.clock.Since(first.at).Round(time.Millisecond)
	return fmt.Sprintf("%d messages have no answer; %s of conversation %s waits for %v",
		waiting, first.ClientID, first.Conversation, waited)
}

// Summary is what an oracle has counted.
type Summary struct {
	// Acknowledged counts messages, edits and deletions, Repeated further acknowledgements of the same.
	Acknowledged, Repeated int
	// Deleted counts the messages deleted.
	Deleted int
	// TakenBack counts the acknowledgements that a restore made untrue, Resets how often a reader began anew for it.
	TakenBack, Resets int
	Longest           Wait
}

// Summary returns the counts so far.
func (o *Oracle) Summary() Summary {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Summary{
		Acknowledged: o.acknowledged, Repeated: o.repeated, Deleted: len(o.deleted),
		TakenBack: o.takenBack, Resets: o.resets, Longest: o.longest,
	}
}
