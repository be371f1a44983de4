// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestAReplicaThatSleptThroughARotationRecoversWithWhateverItDoesFirst(t *testing.T) {
	w, s := newTown(t)
	first := map[string]func(context.Context, *store.Store) error{
		"reads a conversation": func(ctx context.Context, s *store.Store) error { return w.checkConversation(ctx, s, 0, 2) },
		"lists conversations": func(ctx context.Context, s *store.Store) error {
			_, err := s.RecentConversations(ctx, 10)
			return err
		},
		"signs an agent in": func(ctx context.Context, s *store.Store) error {
			_, err := s.AgentByEmail(ctx, redacted.New(w.emails[0]))
			return err
		},
		"invites an agent": func(ctx context.Context, s *store.Store) error {
			known, err := s.AgentByEmail(ctx, redacted.New(w.emails[1]))
			if err != nil {
				return err
			}
			a, err := s.EnsureAgent(ctx, redacted.New(w.emails[1]), redacted.New("Name of "+w.emails[1]))
			if err == nil && a.ID != known.ID {
				return errors.New("an account exists twice")
			}
			return err
		},
		"makes a visitor": newcomer,
		"redeems an invitation": func(ctx context.Context, s *store.Store) error {
			_, _, err := s.RedeemInvitation(ctx, [32]byte{99}, redacted.New("$argon2id$"+w.emails[0]))
			return err
		},
	}
	a, err := s.AgentByEmail(t.Context(), redacted.New(w.emails[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateInvitation(t.Context(), a.ID, [32]byte{99}, time.Hour); err != nil {
		t.Fatal(err)
	}
	sleepers := map[string]*store.Store{}
	for name := range first {
		sleepers[name] = w.db.Open(t)
	}
	stop := keep(s, hasty())
	rotateAll(t, s)
	waitRotated(t, w.db)
	stop()
	for name, act := range first {
		t.Run(name, func(t *testing.T) {
			if err := act(t.Context(), sleepers[name]); err != nil {
				t.Fatal(err)
			}
			if err := w.check(t.Context(), sleepers[name]); err != nil {
				t.Error(err)
			}
		})
	}
	sealing, index := keyIDs(t, w.db)
	expectOnly(t, w.db, sealing, index)
}

func TestASleeperSaysSomethingInAConversationItNeverSaw(t *testing.T) {
	w, s := newTown(t)
	sleeper := w.db.Open(t)
	stop := keep(s, hasty())
	rotateAll(t, s)
	waitRotated(t, w.db)
	stop()
	say(t, sleeper, w.conversations[0], w.authors[0], "third")
	w.said[0] = append(w.said[0], "third")
	if err := w.check(t.Context(), s); err != nil {
		t.Error(err)
	}
}

func TestOfManyRequestsOneRotationComes(t *testing.T) {
	w, s := newTown(t)
	const requests = 8
	fresh := make(chan bool, requests)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			made, err := s.RequestRotation(t.Context(), seal.Sealing)
			if err != nil {
				t.Error(err)
			}
			fresh <- made
		})
	}
	wg.Wait()
	close(fresh)
	made := 0
	for f := range fresh {
		if f {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d of %d requests count", made, requests)
	}
	before := revision(t, w.db)
	for range 3 {
		defer keep(w.db.Open(t), hasty())()
	}
	waitRotated(t, w.db)
	const changes = 3 // Published, promoted, removed.
	if after := revision(t, w.db); after != before+changes {
		t.Errorf("the keysets changed %d times, want %d", after-before, changes)
	}
}

func revision(t *testing.T, db *storetest.Database) (revision int64) {
	t.Helper()
	err := db.Admin(t).QueryRow(t.Context(), `SELECT revision FROM tenant_keyset`).Scan(&revision)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestANewKeyWaitsForAReplicaThatDoesNotHaveIt(t *testing.T) {
	w, s := newTown(t)
	admin := w.db.Admin(t)
	// A replica that says, again and again, that it cannot open the new keysets.
	_, err := admin.Exec(t.Context(), `INSERT INTO keyset_holder VALUES (gen_random_uuid(), 1, now() + interval '1 hour')`)
	if err != nil {
		t.Fatal(err)
	}
	defer keep(s, hasty())()
	rotateAll(t, s)
	const both = `SELECT count(*) = 2 FROM keyset_rotation WHERE phase = 'published'`
	untilTrue(t, "the new keys are published", admin, both)
	time.Sleep(10 * hasty().Settle)
	untilTrue(t, "they still wait", admin, both)
	if _, err := admin.Exec(t.Context(), `DELETE FROM keyset_holder`); err != nil {
		t.Fatal(err)
	}
	waitRotated(t, w.db)
}

func TestKeysAreRotatedWhenTheyAreOldEnough(t *testing.T) {
	w, s := newTown(t)
	admin := w.db.Admin(t)
	before, indexBefore := keyIDs(t, w.db)
	_, err := admin.Exec(t.Context(), `UPDATE tenant_keyset
		SET sealing_at = now() - interval '91 days', index_at = now() - interval '89 days'`)
	if err != nil {
		t.Fatal(err)
	}
	var reports progress
	policy := hasty()
	policy.RotateAfter = 90 * 24 * time.Hour
	policy.Report = reports.note
	stop := keep(s, policy)
	untilTrue(t, "the old key goes", admin, `SELECT sealing_at > now() - interval '1 hour' FROM tenant_keyset`)
	waitRotated(t, w.db)
	// What is reported at a poll that begins after the end is the state after the end.
	begun := reports.count()
	if err := eventually(t, func(context.Context) error { return reports.atLeast(begun + 2) }); err != nil {
		t.Error(err)
	}
	stop()
	sealing, index := keyIDs(t, w.db)
	if sealing.Primary == before.Primary || index.Primary != indexBefore.Primary {
		t.Errorf("sealing key %d became %d, index key %d became %d",
			before.Primary, sealing.Primary, indexBefore.Primary, index.Primary)
	}
	reports.expect(t)
}

// progress is what a replica reports of a rotation.
type progress struct {
	mu      sync.Mutex
	reports int
	// most is how many visitors were left at most.
	most int64
	last store.RotationStatus
}

func (p *progress) note(status store.RotationStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports++
	p.most, p.last = max(p.most, status.Remaining[seal.Sealing]["subject_key"]), status
}

func (p *progress) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reports
}

func (p *progress) atLeast(reports int) error {
	if n := p.count(); n < reports {
		return fmt.Errorf("there are %d reports, not %d", n, reports)
	}
	return nil
}

// expect finds that the rows to move were counted, and then were none, and that the new key is a young one.
func (p *progress) expect(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	most, last := p.most, p.last
	if most != townsfolk {
		t.Errorf("at most %d visitors were reported left, want %d", most, townsfolk)
	}
	if left := last.Remaining[seal.Sealing]["subject_key"]; left != 0 || last.Rotating {
		t.Errorf("in the end %d are left, rotating: %t", left, last.Rotating)
	}
	if age := time.Since(last.Since[seal.Sealing]); age > time.Hour {
		t.Errorf("the new key is %v old", age)
	}
}

func TestRowsOfAnOldKeyAreNotWrittenAfterANewOneCameIntoUse(t *testing.T) {
	w, s := newTown(t)
	admin := w.db.Admin(t)
	var old []byte
	if err := admin.QueryRow(t.Context(), `SELECT wrapped FROM subject_key LIMIT 1`).Scan(&old); err != nil {
		t.Fatal(err)
	}
	var email []byte
	if err := admin.QueryRow(t.Context(), `SELECT email FROM agent LIMIT 1`).Scan(&email); err != nil {
		t.Fatal(err)
	}
	stop := keep(s, hasty())
	rotateAll(t, s)
	waitRotated(t, w.db)
	stop()
	for statement, sealed := range map[string][]byte{
		`UPDATE subject_key SET wrapped = $1`: old, `UPDATE agent SET display_name = $1`: email,
		`UPDATE agent SET password = $1`: email, `UPDATE agent SET email = $1`: email,
		`UPDATE agent SET email_index = $1, email_index_key = 1`: email,
		`UPDATE search_conversation SET index_key = length($1)`:  email,
	} {
		if _, err := admin.Exec(t.Context(), statement, sealed); err == nil {
			t.Errorf("%s is taken", statement)
		}
	}
	if _, err := admin.Exec(t.Context(), `UPDATE tenant_keyset SET sealing = index`); err == nil {
		t.Error("a keyset changes without a new revision")
	}
}

func TestAnAddressHasOneAccountWhileItsIndexChanges(t *testing.T) {
	w, one := newTown(t)
	two := w.db.Open(t)
	policy := unhurried()
	// Everybody who is made meanwhile is made once more.
	policy.Settle /= 2
	for _, s := range []*store.Store{one, two} {
		defer keep(s, policy)()
	}
	admin := w.db.Admin(t)
	made := 0
	for range 2 {
		if _, err := one.RequestRotation(t.Context(), seal.Index); err != nil {
			t.Fatal(err)
		}
		for rotating := true; rotating; made++ {
			email := fmt.Sprintf("new%d@example.org", made)
			inviteTwice(t, email, one, two)
			if err := admin.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM keyset_rotation)`).Scan(&rotating); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Once more, since which everybody is there.
	for i := range made {
		inviteTwice(t, fmt.Sprintf("new%d@example.org", i), one, two)
	}
	var accounts int
	if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM agent`).Scan(&accounts); err != nil {
		t.Fatal(err)
	}
	if accounts != townsfolk+made {
		t.Errorf("%d accounts for %d addresses", accounts, townsfolk+made)
	}
}

// inviteTwice invites an address through both replicas at once.
func inviteTwice(t *testing.T, email string, replicas ...*store.Store) {
	t.Helper()
	ids := make([]uuid.UUID, len(replicas))
	var wg sync.WaitGroup
	for i, s := range replicas {
		wg.Go(func() {
			a, err := s.EnsureAgent(t.Context(), redacted.New(email), redacted.New("New"))
			if err != nil {
				t.Errorf("invite: %v", err)
			}
			ids[i] = a.ID
		})
	}
	wg.Wait()
	if ids[0] != ids[1] {
		t.Errorf("two accounts for %s", email)
	}
}

func TestWhatWasExchangedIsRefusedAmidARotation(t *testing.T) {
	w, s := newTown(t)
	admin := w.db.Admin(t)
	defer keep(s, hasty())()
	half, err := w.db.Admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = half.Rollback(context.WithoutCancel(t.Context())) }()
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := half.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	// Rows that are locked keep the old key for as long.
	run(`SELECT FROM subject_key ORDER BY visitor LIMIT $1 FOR UPDATE`, townsfolk/2)
	run(`SELECT FROM agent ORDER BY id LIMIT $1 FOR UPDATE`, townsfolk/2)
	rotateAll(t, s)
	untilTrue(t, "half of the rows are moved", admin, `SELECT
		(SELECT count(*) = $1 FROM subject_key WHERE sealed_with(wrapped) = sealing_primary) AND
		(SELECT count(*) = $1 FROM agent WHERE sealed_with(email) = sealing_primary) FROM tenant_keyset`, townsfolk/2)
	// Whoever can exchange rows can also keep the triggers from noticing.
	run(`SET LOCAL session_replication_role = replica`)
	run(`UPDATE subject_key k SET wrapped = o.wrapped FROM subject_key o WHERE o.visitor <> k.visitor`)
	run(`UPDATE agent a SET display_name = o.display_name FROM agent o WHERE o.id <> a.id`)
	if err := half.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := w.db.Open(t)
	for i := range w.conversations {
		if err := w.checkConversation(t.Context(), fresh, i, 2); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("conversation %d with another visitor's key: %v, want ErrRefused", i, err)
		}
		_, err := fresh.AgentByEmail(t.Context(), redacted.New(w.emails[i]))
		if !errors.Is(err, seal.ErrRefused) {
			t.Errorf("agent %d with another's name: %v, want ErrRefused", i, err)
		}
	}
}

func TestARowThatIsRefusedKeepsItsKey(t *testing.T) {
	w, s := newTown(t)
	admin := w.db.Admin(t)
	before, _ := keyIDs(t, w.db)
	const damage = `UPDATE subject_key SET wrapped = set_byte(wrapped, 60, get_byte(wrapped, 60) # 1)
		WHERE visitor = (SELECT min(visitor::text)::uuid FROM subject_key)`
	if _, err := admin.Exec(t.Context(), damage); err != nil {
		t.Fatal(err)
	}
	defer keep(s, hasty())()
	rotateAll(t, s)
	const left = `SELECT count(*) = 1 FROM subject_key
		WHERE sealed_with(wrapped) <> (SELECT sealing_primary FROM tenant_keyset)`
	untilTrue(t, "all but one are moved", admin, left)
	untilTrue(t, "the index is rotated in spite of it", admin, `SELECT count(*) = 1 FROM keyset_rotation`)
	time.Sleep(10 * hasty().Settle)
	if sealing, _ := keyIDs(t, w.db); len(sealing.Others) != 1 || sealing.Others[0] != before.Primary {
		t.Errorf("the keyset has %v, want the old key %d still in it", sealing, before.Primary)
	}
	// Someone puts it right, by hand: as it was, under the old key.
	if _, err := admin.Exec(t.Context(), `SET session_replication_role = replica; `+damage); err != nil {
		t.Fatal(err)
	}
	waitRotated(t, w.db)
	if err := w.check(t.Context(), s); err != nil {
		t.Error(err)
	}
}

func TestGarbageDoesNotMakeTheKeysBeReadAgainAndAgain(t *testing.T) {
	w, s := newTown(t)
	// The ciphertexts name a key that nobody ever had.
	_, err := w.db.Admin(t).Exec(t.Context(), `SET session_replication_role = replica;
		UPDATE agent SET display_name = set_byte(display_name, 1, get_byte(display_name, 1) # 255)`)
	if err != nil {
		t.Fatal(err)
	}
	const reads = 200
	begun := time.Now()
	believed := 0
	for range reads {
		_, err := s.AgentByEmail(t.Context(), redacted.New(w.emails[0]))
		if err == nil {
			t.Fatal("garbage opens")
		}
		if errors.Is(err, seal.ErrRefused) {
			believed++
		}
	}
	if limit := 5 + int(time.Since(begun).Seconds()) + 1; believed == 0 || believed > limit {
		t.Errorf("the keysets were read for %d of %d refusals, want 1 to %d", believed, reads, limit)
	}
}

func TestWrappingAndRotatingAtTheSameTimeUndoNeither(t *testing.T) {
	w, s := newTown(t)
	before, indexBefore := keyIDs(t, w.db)
	config := w.db.StoreConfig(t)
	config.Keys = storetest.Ring(t, w.db.Key(t, 1), w.db.Key(t, 2))
	stop := keep(s, unhurried())
	defer stop()
	rotateAll(t, s)
	// The newer replica wraps with the next key-encryption key, which the older does not have, wherever that one is.
	newer, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	defer keep(newer, unhurried())()
	// The older one serves on with what it has.
	if err := w.check(t.Context(), s); err != nil {
		t.Error(err)
	}
	stop()
	s.Close()
	waitRotated(t, w.db)
	var generation int64
	err = w.db.Admin(t).QueryRow(t.Context(), `SELECT kek_generation FROM tenant_keyset`).Scan(&generation)
	if err != nil || generation != 2 {
		t.Errorf("wrapped by generation %d, %v", generation, err)
	}
	sealing, index := keyIDs(t, w.db)
	if sealing.Primary == before.Primary || index.Primary == indexBefore.Primary {
		t.Error("the keys are still the same")
	}
	expectOnly(t, w.db, sealing, index)
	if err := w.check(t.Context(), newer); err != nil {
		t.Error(err)
	}
}
