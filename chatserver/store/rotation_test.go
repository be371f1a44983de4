// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// hasty is a policy that does in a second what takes minutes otherwise, in batches smaller than the tables.
func hasty() store.RotationPolicy {
	return store.RotationPolicy{
		Poll: 20 * time.Millisecond, Settle: 100 * time.Millisecond, Batch: 4, Rest: 1,
	}
}

// unhurried is hasty for people who act meanwhile: what they do is begun anew when the keysets change under it, but
// only so often, and on a slow machine it lasts longer than a hasty rotation takes from one change to the next.
func unhurried() store.RotationPolicy {
	policy := hasty()
	policy.Settle = 700 * time.Millisecond
	return policy
}

// keep makes s look after the keys until the returned function is called.
func keep(s *store.Store, policy store.RotationPolicy) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.RunRotations(ctx, policy) })
	return sync.OnceFunc(func() { cancel(); wg.Wait() })
}

// rotateAll asks for new keys in both keysets.
func rotateAll(t *testing.T, s *store.Store) {
	t.Helper()
	for _, which := range []seal.Keyset{seal.Sealing, seal.Index} {
		if _, err := s.RequestRotation(t.Context(), which); err != nil {
			t.Fatal(err)
		}
	}
}

// waitRotated waits until no rotation is under way.
func waitRotated(t *testing.T, db *storetest.Database) {
	t.Helper()
	untilTrue(t, "the rotation ends", db.Admin(t), `SELECT NOT EXISTS (SELECT FROM keyset_rotation)
		AND NOT EXISTS (SELECT FROM subject_rotation)`)
}

// untilTrue waits until a query gives true.
func untilTrue(t *testing.T, what string, admin *pgx.Conn, query string, args ...any) {
	t.Helper()
	for range 3000 {
		var ok bool
		if err := admin.QueryRow(t.Context(), query, args...).Scan(&ok); err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("never happened: %s", what)
}

// keyIDs are the keys of the tenant's keysets as the database has them.
func keyIDs(t *testing.T, db *storetest.Database) (sealing, index seal.KeyIDs) {
	t.Helper()
	var wrapped seal.Wrapped
	var generation int64
	err := db.Admin(t).QueryRow(t.Context(), `SELECT kek_generation, sealing, index FROM tenant_keyset`).
		Scan(&generation, &wrapped.Sealing, &wrapped.Index)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := seal.OpenTenant(t.Context(), db.Key(t, generation), storetest.Tenant, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return tenant.KeyIDs(seal.Sealing), tenant.KeyIDs(seal.Index)
}

// expectOnly finds every ciphertext and every index of the tenant's keysets under one key, which is alone in its
// keyset.
func expectOnly(t *testing.T, db *storetest.Database, sealing, index seal.KeyIDs) {
	t.Helper()
	if len(sealing.Others)+len(index.Others) > 0 {
		t.Errorf("old keys stay: %v %v", sealing, index)
	}
	rows, err := db.Admin(t).Query(t.Context(), `
		SELECT 'subject_key', sealed_with(wrapped) = $1 FROM subject_key UNION ALL
		SELECT 'agent.email', sealed_with(email) = $1 FROM agent UNION ALL
		SELECT 'agent.display_name', sealed_with(display_name) = $1 FROM agent UNION ALL
		SELECT 'agent.password', sealed_with(password) = $1 FROM agent WHERE password IS NOT NULL UNION ALL
		SELECT 'agent.email_index', email_index_key = $2 FROM agent UNION ALL
		SELECT 'search_conversation', index_key = $2 FROM search_conversation`, sealing.Primary, index.Primary)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	var column string
	var fresh *bool
	if _, err := pgx.ForEachRow(rows, []any{&column, &fresh}, func() error {
		seen[column]++
		if fresh == nil || !*fresh {
			t.Errorf("%s is under another key than the new one", column)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 6 {
		t.Errorf("looked at %v only", seen)
	}
}

func TestARotationUnderLoadFailsNobody(t *testing.T) {
	w, one := newTown(t)
	two := w.db.Open(t)
	sealing, index := keyIDs(t, w.db)
	for _, s := range []*store.Store{one, two} {
		defer keep(s, unhurried())()
	}
	stop := w.live(t, one, two)
	rotateAll(t, one)
	waitRotated(t, w.db)
	if done := stop(); done == 0 {
		t.Error("nothing was said meanwhile")
	} else {
		t.Logf("%d words said meanwhile", done)
	}
	newSealing, newIndex := keyIDs(t, w.db)
	if newSealing.Primary == sealing.Primary || newIndex.Primary == index.Primary {
		t.Error("the keys are still the same")
	}
	expectOnly(t, w.db, newSealing, newIndex)
	for _, s := range []*store.Store{one, two, w.db.Open(t)} {
		if err := w.check(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
}
