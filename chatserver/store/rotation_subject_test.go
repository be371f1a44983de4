// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// subjectSeals are the keys that sealed anything of a visitor.
const subjectSeals = `SELECT DISTINCT sealed_with(sealed) FROM (
	SELECT body FROM event e JOIN conversation c ON c.id = e.conversation WHERE c.visitor = $1 AND body IS NOT NULL
	UNION ALL SELECT unnest(ARRAY[contact_name, contact_email, contact_phone, contact_external_id])
	FROM conversation WHERE visitor = $1) s (sealed)`

// sealedUnder lists the keys under which things of a visitor are.
func (w *town) sealedUnder(t *testing.T, visitor uuid.UUID) (keys []int64) {
	t.Helper()
	rows, err := w.db.Admin(t).Query(t.Context(), subjectSeals, visitor)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAVisitorsKeysAreRotatedWhileTheyTalk(t *testing.T) {
	w, one := newTown(t)
	two := w.db.Open(t)
	policy := hasty()
	policy.Batch = 25
	for _, s := range []*store.Store{one, two} {
		defer keep(s, policy)()
	}
	before := map[uuid.UUID]int64{}
	for _, author := range w.authors {
		before[author.ID] = w.sealedUnder(t, author.ID)[0]
	}
	stop := w.live(t, one, two)
	for range 2 {
		for _, author := range w.authors {
			if _, err := two.RequestSubjectRotation(t.Context(), author.ID); err != nil {
				t.Fatal(err)
			}
		}
		waitRotated(t, w.db)
	}
	if done := stop(); done == 0 {
		t.Error("nothing was said meanwhile")
	}
	for _, author := range w.authors {
		if keys := w.sealedUnder(t, author.ID); len(keys) != 1 || keys[0] == before[author.ID] {
			t.Errorf("a visitor's rows are under %v, before that under %d", keys, before[author.ID])
		}
	}
	for _, s := range []*store.Store{one, two, w.db.Open(t)} {
		if err := w.check(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
}

func TestAVisitorsRotationGoesOnWhereACrashedReplicaLeftIt(t *testing.T) {
	for name, h := range map[string]hurdle{
		"before the new key":            {"subject_key", "UPDATE", `true`},
		"while the last word is moved":  {"event", "UPDATE", `NEW.seq = 2`},
		"while the contact is moved":    {"conversation", "UPDATE", `NEW.contact_name <> OLD.contact_name`},
		"before the old key is removed": {"subject_rotation", "DELETE", `true`},
	} {
		t.Run(name, func(t *testing.T) {
			w, first := newTown(t)
			visitor := w.authors[0].ID
			before := w.sealedUnder(t, visitor)
			admin := w.db.Admin(t)
			h.put(t, admin)
			stop := keep(first, hasty())
			if _, err := first.RequestSubjectRotation(t.Context(), visitor); err != nil {
				t.Fatal(err)
			}
			untilTrue(t, "the replica meets the hurdle", admin, hurdleMet)
			for _, s := range []*store.Store{first, w.db.Open(t)} {
				if err := w.check(t.Context(), s); err != nil {
					t.Errorf("at the hurdle: %v", err)
				}
			}
			w.db.Cluster.Disconnect(t)
			stop()
			first.Close()
			h.takeAway(t, admin)
			second := w.db.Open(t)
			defer keep(second, hasty())()
			waitRotated(t, w.db)
			if after := w.sealedUnder(t, visitor); len(after) != 1 || after[0] == before[0] {
				t.Errorf("rows are under %v, before that under %v", after, before)
			}
			if err := w.check(t.Context(), second); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestADeletedTextDoesNotComeBackWithANewKey(t *testing.T) {
	w, s := newTown(t)
	admin := w.db.Admin(t)
	c, author := w.conversations[0], w.authors[0]
	events, err := s.EventsAfter(t.Context(), []store.Position{{Conversation: c.ID}}, 10)
	if err != nil {
		t.Fatal(err)
	}
	h := hurdle{"event", "UPDATE", `NEW.seq = 2 AND NEW.body IS NOT NULL`}
	h.put(t, admin)
	defer keep(s, hasty())()
	if _, err := s.RequestSubjectRotation(t.Context(), author.ID); err != nil {
		t.Fatal(err)
	}
	untilTrue(t, "the first word is being moved", admin, hurdleMet)
	deletion := store.Draft{
		Kind: protocol.KindDeletion, Conversation: c.ID, Author: author, ClientID: uuid.New(), Target: events[0].ID,
	}
	if err := appendOne(t.Context(), s, deletion); err != nil {
		t.Fatal(err)
	}
	h.takeAway(t, admin)
	waitRotated(t, w.db)
	events, err = s.EventsAfter(t.Context(), []store.Position{{Conversation: c.ID}}, 10)
	if err != nil || !events[0].Erased || events[1].Body.Reveal() != "second" {
		t.Errorf("after the rotation: %+v, %v", events, err)
	}
}

func TestNobodysKeysCannotBeRotated(t *testing.T) {
	s := storetest.New(t).Open(t)
	if _, err := s.RequestSubjectRotation(t.Context(), uuid.New()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("RequestSubjectRotation = %v, want ErrNotFound", err)
	}
}
