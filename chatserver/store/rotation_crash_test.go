// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
)

// hurdle is a place in a rotation that a replica does not get over: whatever the transaction did that meets it is
// undone.
type hurdle struct {
	table, event, when string
}

// put raises the hurdle. A sequence counts who met it, since a sequence keeps what a failed transaction did to it.
func (h hurdle) put(t *testing.T, admin *pgx.Conn) {
	t.Helper()
	for _, statement := range []string{
		`CREATE SEQUENCE hurdle_met`, `GRANT ALL ON SEQUENCE hurdle_met TO chatserver`,
		`CREATE FUNCTION hurdle() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM nextval('hurdle_met'); RAISE EXCEPTION 'hurdle'; END $$`,
		fmt.Sprintf(`CREATE TRIGGER hurdle BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION hurdle()`,
			h.event, h.table, h.when),
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// takeAway ends every session that a crashed replica may have left and lets the next one pass.
func (h hurdle) takeAway(t *testing.T, admin *pgx.Conn) {
	t.Helper()
	for _, statement := range []string{
		`DROP TRIGGER hurdle ON ` + h.table, `DROP FUNCTION hurdle`, `DROP SEQUENCE hurdle_met`,
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

const hurdleMet = `SELECT is_called FROM hurdle_met`

// phase is the hurdle of a keyset's phase.
func phase(which seal.Keyset, name string) hurdle {
	return hurdle{"keyset_rotation", "UPDATE", fmt.Sprintf(`NEW.keyset = '%s' AND NEW.phase = '%s'`, which, name)}
}

func TestARotationGoesOnWhereACrashedReplicaLeftIt(t *testing.T) {
	const lastVisitor = `(SELECT max(visitor::text)::uuid FROM subject_key)`
	hurdles := map[string]hurdle{
		"before the sealing key is published": phase(seal.Sealing, "published"),
		"before the sealing key is used":      phase(seal.Sealing, "promoted"),
		"while the last visitor is moved":     {"subject_key", "UPDATE", `NEW.wrapped <> OLD.wrapped AND NEW.visitor = %s`},
		"while agents are moved":              {"agent", "UPDATE", `NEW.email <> OLD.email`},
		"before the sealing key's rows count": phase(seal.Sealing, "drained"),
		"before the old sealing key goes":     {"keyset_rotation", "DELETE", `OLD.keyset = 'sealing'`},
		"before the index key is published":   phase(seal.Index, "published"),
		"before the index key is used":        phase(seal.Index, "promoted"),
		"while accounts are indexed":          {"agent", "UPDATE", `NEW.email_index <> OLD.email_index`},
		"while words are indexed anew":        {"search_conversation", "UPDATE", `NEW.index_key <> OLD.index_key`},
		"before the index key's rows count":   phase(seal.Index, "drained"),
		"before the old index key goes":       {"keyset_rotation", "DELETE", `OLD.keyset = 'index'`},
	}
	for name, h := range hurdles {
		t.Run(name, func(t *testing.T) {
			w, first := newTown(t)
			admin := w.db.Admin(t)
			if h.table == "subject_key" {
				var last string
				if err := admin.QueryRow(t.Context(), `SELECT `+lastVisitor+`::text`).Scan(&last); err != nil {
					t.Fatal(err)
				}
				h.when = fmt.Sprintf(h.when, "'"+last+"'")
			}
			before, indexBefore := keyIDs(t, w.db)
			crashAt(t, w, first, h)
			second := w.db.Open(t)
			defer keep(second, hasty())()
			waitRotated(t, w.db)
			sealing, index := keyIDs(t, w.db)
			if sealing.Primary == before.Primary || index.Primary == indexBefore.Primary {
				t.Error("the keys are still the same")
			}
			expectOnly(t, w.db, sealing, index)
			if err := w.check(t.Context(), second); err != nil {
				t.Error(err)
			}
		})
	}
}

// crashAt lets a replica rotate until it meets the hurdle, finds that everybody is served meanwhile, and ends it.
func crashAt(t *testing.T, w *town, s *store.Store, h hurdle) {
	t.Helper()
	admin, beside := w.db.Admin(t), w.db.Open(t)
	h.put(t, admin)
	stop := keep(s, hasty())
	rotateAll(t, s)
	untilTrue(t, "the replica meets the hurdle", admin, hurdleMet)
	for _, replica := range []*store.Store{s, beside, w.db.Open(t)} {
		if err := w.check(t.Context(), replica); err != nil {
			t.Errorf("at the hurdle: %v", err)
		}
		if err := newcomer(t.Context(), replica); err != nil {
			t.Errorf("at the hurdle: %v", err)
		}
	}
	w.db.Cluster.Disconnect(t)
	stop()
	s.Close()
	h.takeAway(t, admin)
}

func TestARotationGoesOnAfterTheDatabaseCrashed(t *testing.T) {
	w, s := newTown(t)
	defer keep(s, hasty())()
	h := hurdle{"agent", "UPDATE", `NEW.email <> OLD.email`}
	admin := w.db.Admin(t)
	h.put(t, admin)
	rotateAll(t, s)
	untilTrue(t, "rows are moved", admin, hurdleMet)
	w.db.Cluster.Kill()
	w.db.Cluster.Start(t)
	h.takeAway(t, w.db.Admin(t))
	waitRotated(t, w.db)
	sealing, index := keyIDs(t, w.db)
	expectOnly(t, w.db, sealing, index)
	if err := w.check(t.Context(), s); err != nil {
		t.Error(err)
	}
}
