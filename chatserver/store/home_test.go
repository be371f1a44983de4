// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// epochs opens several replicas at once and returns the epoch that all of them found.
func epochs(t *testing.T, db *storetest.Database) int64 {
	t.Helper()
	const replicas = 4
	config := db.StoreConfig(t)
	found := make([]int64, replicas)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() {
			s, err := store.Open(t.Context(), config)
			if err != nil {
				t.Errorf("open store: %v", err)
				return
			}
			defer s.Close()
			found[i] = s.KnownEpoch()
		})
	}
	wg.Wait()
	for _, epoch := range found {
		if epoch != found[0] {
			t.Fatalf("the replicas found the epochs %v", found)
		}
	}
	return found[0]
}

func TestTheEpochOutlivesRestartsCrashesAndMaintenance(t *testing.T) {
	db := storetest.New(t)
	first := epochs(t, db)
	for range 2 {
		db.Cluster.Kill()
		db.Cluster.Start(t)
	}
	if _, err := db.Admin(t).Exec(t.Context(), `VACUUM FULL instance`); err != nil {
		t.Fatal(err)
	}
	if epoch := epochs(t, db); epoch != first {
		t.Errorf("the epoch went from %d to %d", first, epoch)
	}
}

func TestACopyOfADatabaseIsAnotherHistory(t *testing.T) {
	for name, restore := range map[string]func(*testing.T, *storetest.Database) *storetest.Cluster{
		"a dump in another cluster":   loadElsewhere,
		"a dump in the same cluster":  loadAgain,
		"a promoted standby":          promote,
		"a recovery to an older time": recoverToPoint,
	} {
		t.Run(name, func(t *testing.T) {
			db := storetest.New(t)
			first := epochs(t, db)
			copied := db.At(restore(t, db))
			start := time.Now().UnixMilli()
			second := epochs(t, copied)
			if second <= first || second < start {
				t.Errorf("the epoch went from %d to %d; the copy was opened at %d", first, second, start)
			}
			if third := epochs(t, copied); third != second {
				t.Errorf("the copy's epoch went on from %d to %d", second, third)
			}
		})
	}
}

func loadElsewhere(t *testing.T, db *storetest.Database) *storetest.Cluster {
	t.Helper()
	other := db.Cluster.Beside(t)
	other.Load(t, db.Dump(t))
	return other
}

func loadAgain(t *testing.T, db *storetest.Database) *storetest.Cluster {
	t.Helper()
	db.Cluster.Load(t, db.Dump(t))
	return db.Cluster
}

func promote(t *testing.T, db *storetest.Database) *storetest.Cluster {
	t.Helper()
	standby := db.Cluster.Copy(t, "standby.signal")
	standby.Start(t)
	standby.Promote(t)
	return standby
}

func recoverToPoint(t *testing.T, db *storetest.Database) *storetest.Cluster {
	t.Helper()
	settings, archive := db.Cluster.Archiving(t)
	base := db.Cluster.Copy(t, "recovery.signal", settings...)
	db.Cluster.MarkPoint(t, "before")
	if _, err := db.Admin(t).Exec(t.Context(), `CREATE TABLE too_late ()`); err != nil {
		t.Fatal(err)
	}
	db.Cluster.Archive(t)
	base.Start(t, storetest.Recovering(archive, "before")...)
	base.WaitWritable(t)
	var late bool
	err := db.At(base).Admin(t).QueryRow(t.Context(), `SELECT to_regclass('too_late') IS NOT NULL`).Scan(&late)
	if err != nil || late {
		t.Fatalf("recovered too much: %v, %v", late, err)
	}
	return base
}

// TestARunningReplicaNoticesWhatReplacedItsDatabase puts another cluster under an open store.
func TestARunningReplicaNoticesWhatReplacedItsDatabase(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	first := s.KnownEpoch()
	dump := db.Dump(t)
	db.Cluster.Load(t, dump)
	// Whatever comes first on a new connection, the epoch is known before it is answered.
	err := eventually(t, func(ctx context.Context) error {
		_, err := s.RecentConversations(ctx, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if second := s.KnownEpoch(); second <= first {
		t.Errorf("the epoch is still %d after %d", second, first)
	}
}

func TestAnEpochThatGoesBackIsRaisedAboveAllThatWereHandedOut(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	first := s.KnownEpoch()
	second, err := s.RaiseEpoch(t.Context())
	if err != nil || second <= first {
		t.Fatalf("raised from %d to %d, %v", first, second, err)
	}
	// A volume's snapshot from before that is put back: only the number shows it.
	if _, err := db.Admin(t).Exec(t.Context(), `UPDATE instance SET epoch = $1`, first); err != nil {
		t.Fatal(err)
	}
	if third, err := s.Epoch(t.Context()); err != nil || third <= second {
		t.Errorf("the epoch went from %d back to %d, then to %d, %v", second, first, third, err)
	}
}
