// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// say appends messages of a conversation's visitor.
func say(t *testing.T, s *store.Store, c store.Conversation, author store.Author, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		draft := store.Draft{Conversation: c.ID, Author: author, ClientID: uuid.New(), Body: redacted.New(body)}
		if err := appendOne(t.Context(), s, draft); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCiphertextMovedElsewhereIsRefused(t *testing.T) {
	moves := map[string]string{
		"body to another row of the conversation": `UPDATE event e SET body = o.body FROM event o
			WHERE o.conversation = e.conversation AND o.seq = 3 - e.seq`,
		"body to another conversation": `UPDATE event e SET body = o.body FROM event o
			WHERE o.conversation <> e.conversation AND o.seq = e.seq`,
		"events swap places":           `UPDATE event SET seq = seq + 2 WHERE seq = 1`,
		"another author":               `UPDATE event SET author = (SELECT max(id::text)::uuid FROM conversation)`,
		"author of another kind":       `UPDATE event SET author_kind = 'agent'`,
		"name into the email's column": `UPDATE conversation SET contact_email = contact_name`,
		"name of another conversation": `UPDATE conversation c SET contact_name = o.contact_name
			FROM conversation o WHERE o.id <> c.id`,
		"phone number of another conversation": `UPDATE conversation c SET contact_phone = o.contact_phone
			FROM conversation o WHERE o.id <> c.id`,
		"phone number as external id": `UPDATE conversation SET contact_external_id = contact_phone`,
		"subject keys swapped": `UPDATE subject_key k SET wrapped = o.wrapped
			FROM subject_key o WHERE o.visitor <> k.visitor`,
		"one bit of a body": `UPDATE event SET body = set_bit(body, 100, 1 - get_bit(body, 100))`,
		"conversation given to another": `UPDATE conversation
			SET visitor = (SELECT max(id::text)::uuid FROM visitor), closed_at = now()`,
	}
	for name, move := range moves {
		t.Run(name, func(t *testing.T) {
			db := storetest.New(t)
			s := db.Open(t)
			for _, person := range []string{"Ada", "Bob"} {
				contact := store.Contact{
					Name: redacted.New(person), Email: redacted.New(person + "@example.org"),
					Phone: redacted.New("030 1234"), ExternalID: redacted.New("K-" + person),
				}
				c, visitor := newConversation(t, s, contact)
				say(t, s, c, visitor, "first", "second")
			}
			if err := readAll(t, db.Open(t)); err != nil {
				t.Fatalf("before the move: %v", err)
			}
			if _, err := db.Admin(t).Exec(t.Context(), move); err != nil {
				t.Fatal(err)
			}
			// A fresh store has no key in its cache.
			if err := readAll(t, db.Open(t)); !errors.Is(err, seal.ErrRefused) {
				t.Errorf("after the move: %v, want ErrRefused", err)
			}
		})
	}
}

// readAll reads everything sealed about visitors.
func readAll(t *testing.T, s *store.Store) error {
	t.Helper()
	list, err := s.RecentConversations(t.Context(), 10)
	var positions []store.Position
	ids, idErr := s.TouchedWithin(t.Context(), time.Hour)
	if idErr != nil {
		return idErr
	}
	for _, touched := range ids {
		positions = append(positions, store.Position{Conversation: touched.Conversation})
	}
	_, eventErr := s.EventsAfter(t.Context(), positions, 10)
	if err == nil && len(list) != 2 {
		t.Errorf("listed %d conversations", len(list))
	}
	return errors.Join(err, eventErr)
}

func TestAnAgentsSealedColumnsCannotBeExchanged(t *testing.T) {
	moves := map[string]string{ //nolint:gosec // A statement that names a column, not a credential.
		"password of another agent": `UPDATE agent a SET password = o.password FROM agent o WHERE o.id <> a.id`,
		"name of another agent":     `UPDATE agent a SET display_name = o.display_name FROM agent o WHERE o.id <> a.id`,
		"email as name":             `UPDATE agent SET display_name = email`,
	}
	for name, move := range moves {
		t.Run(name, func(t *testing.T) {
			db := storetest.New(t)
			s := db.Open(t)
			for i, email := range []string{"ada@example.org", "bob@example.org"} {
				invite(t, s, email, byte(i))
			}
			if _, err := db.Admin(t).Exec(t.Context(), move); err != nil {
				t.Fatal(err)
			}
			if _, err := s.AgentByEmail(t.Context(), redacted.New("ada@example.org")); !errors.Is(err, seal.ErrRefused) {
				t.Errorf("AgentByEmail = %v, want ErrRefused", err)
			}
		})
	}
}

// invite makes an account with a password hash.
func invite(t *testing.T, s *store.Store, email string, token byte) store.Agent {
	t.Helper()
	a, err := s.EnsureAgent(t.Context(), redacted.New(email), redacted.New("Name of "+email))
	if err != nil {
		t.Fatal(err)
	}
	hash := [32]byte{token}
	if err := s.CreateInvitation(t.Context(), a.ID, hash, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.RedeemInvitation(t.Context(), hash, redacted.New("$argon2id$"+email)); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheDatabaseHoldsNothingPersonalInTheClear(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	contact := store.Contact{
		Name: redacted.New("Ada Lovelace"), Email: redacted.New("ada@seeded.example"),
		Phone: redacted.New("+49 (0)30 5557788"), ExternalID: redacted.New("K-SEEDED-99"),
	}
	c, visitor := newConversation(t, s, contact)
	agent := invite(t, s, "grace@seeded.example", 1)
	say(t, s, c, visitor, "my account number is 4711-0815")
	say(t, s, c, store.Author{Kind: protocol.Agent, ID: agent.ID}, "thank you, Ada")
	index(t, s)
	dump := db.Dump(t)
	if tokens := count(t, db, "search_message") + count(t, db, "search_contact"); tokens != 5 {
		t.Errorf("%d rows of the index are searched through", tokens)
	}
	if !strings.Contains(dump, c.ID.String()) {
		t.Fatal("the dump does not even hold the conversation")
	}
	seeded := []string{
		"Ada", "Ada Lovelace", "Lovelace", "seeded.example", "4711-0815", "account number", "thank you", "grace", "argon2id",
		"5557788", "+49305557788", "SEEDED", "seeded-99", "account", "lovelace",
	}
	for _, value := range seeded {
		// Three bytes stand somewhere in so much ciphertext now and then.
		inHex := len(value) > 4 && strings.Contains(dump, hex.EncodeToString([]byte(value)))
		if strings.Contains(dump, value) || inHex {
			t.Errorf("the dump holds %q", value)
		}
	}
}

func TestOfParallelRedemptionsOneWins(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	a, err := s.EnsureAgent(t.Context(), redacted.New("ada@example.org"), redacted.New("Ada"))
	if err != nil {
		t.Fatal(err)
	}
	hash := [32]byte{1}
	if err := s.CreateInvitation(t.Context(), a.ID, hash, time.Hour); err != nil {
		t.Fatal(err)
	}
	const attempts = 8
	results := make(chan error, attempts)
	for range attempts {
		go func() {
			_, _, err := s.RedeemInvitation(t.Context(), hash, redacted.New("hash"))
			results <- err
		}()
	}
	won := 0
	for range attempts {
		switch err := <-results; {
		case err == nil:
			won++
		case !errors.Is(err, store.ErrNotFound):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d attempts won", won)
	}
}

func TestRedeemingEndsEarlierSessions(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	a := invite(t, s, "ada@example.org", 1)
	session, err := s.CreateSession(t.Context(), a, [32]byte{9}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	invite(t, s, "ada@example.org", 2)
	if live, err := s.LiveSessions(t.Context(), []uuid.UUID{session.ID}); err != nil || len(live) != 0 {
		t.Errorf("the session outlives a password reset: %v, %v", live, err)
	}
}

func TestWhatHasExpiredOpensNothingAndIsDeleted(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	ctx := t.Context()
	a := invite(t, s, "ada@example.org", 1)
	kept, _ := newConversation(t, s, store.Contact{})
	_, sessionErr := s.CreateSession(ctx, a, [32]byte{10}, -time.Second)
	_, visitorErr := s.CreateVisitor(ctx, [32]byte{11}, -time.Second)
	_, staysErr := s.CreateVisitor(ctx, [32]byte{12}, time.Hour)
	if err := errors.Join(sessionErr, visitorErr, staysErr); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SessionByToken(ctx, [32]byte{10}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an expired session is found: %v", err)
	}
	if _, err := s.VisitorByToken(ctx, [32]byte{11}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an expired visitor is found: %v", err)
	}
	admin := db.Admin(t)
	if _, err := admin.Exec(ctx, `UPDATE visitor SET expires_at = now() WHERE id = $1`, kept.Visitor); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteExpired(ctx); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"agent_session": 0, "visitor": 2, "subject_key": 2, "conversation": 1}
	for table, rows := range want {
		var got int
		if err := admin.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&got); err != nil || got != rows {
			t.Errorf("%d rows remain in %s, want %d: %v", got, table, rows, err)
		}
	}
}
