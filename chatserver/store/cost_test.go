// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"testing"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// TestAppendingReadsNoMoreRowsInALargeDatabase counts what statements read, by the database's own books: without
// statistics, as in a new tenant, a plan may read every open conversation or every event for each message.
func TestAppendingReadsNoMoreRowsInALargeDatabase(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	const appends, conversations, perAppend = 30, 100, 12
	// Whenever it came, the server's own upkeep would read rows too, and gather statistics.
	_, err := db.Admin(t).Exec(t.Context(), `ALTER TABLE conversation SET (autovacuum_enabled = off);
		ALTER TABLE event SET (autovacuum_enabled = off)`)
	if err != nil {
		t.Fatal(err)
	}
	quiet, visitor := newConversation(t, s, store.Contact{})
	for range conversations {
		newConversation(t, s, store.Contact{})
	}
	var first store.Event
	for i := range conversations {
		o := mustAppend(t, s, message(quiet, visitor, "x"))
		if i == 0 {
			first = o[0].Event
		}
	}
	s.Close()
	before := rowsRead(t, db)
	reader := db.Open(t)
	for range appends {
		mustAppend(t, reader, message(quiet, visitor, "direct"))
		edit := message(quiet, visitor, "locked")
		edit.Kind, edit.Target = protocol.KindEdit, first.ID
		mustAppend(t, reader, edit)
	}
	reader.Close()
	if read := rowsRead(t, db) - before; read > 2*appends*perAppend {
		t.Errorf("%d messages read %d rows, want at most %d each", 2*appends, read, perAppend)
	}
}

// rowsRead counts the rows that sessions which have ended read of conversations and events.
func rowsRead(t *testing.T, db *storetest.Database) (rows int64) {
	t.Helper()
	admin := db.Admin(t)
	for sessions := 1; sessions > 0; {
		err := admin.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chatserver'`).
			Scan(&sessions)
		if err != nil {
			t.Fatal(err)
		}
	}
	err := admin.QueryRow(t.Context(), `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))
		FROM pg_stat_user_tables WHERE relname IN ('conversation', 'event')`).Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
