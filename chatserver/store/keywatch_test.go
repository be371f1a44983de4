// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// service is a remote key that can be taken away, and whose key can get new versions.
type service struct {
	kek.Key
	away    atomic.Bool
	calls   atomic.Int64
	version atomic.Int32
}

// newService puts the key of a generation behind a service. Its ciphertexts begin with the version.
func newService(t *testing.T, db *storetest.Database, generation int64) *service {
	t.Helper()
	s := &service{Key: db.Key(t, generation)}
	s.version.Store(1)
	return s
}

func (s *service) key() kek.Key {
	return kek.Key{
		KEK: s, Generation: s.Generation, Name: "service", Remote: true,
		Version: func(ciphertext []byte) int64 { return int64(ciphertext[0]) },
	}
}

func (s *service) answer() error {
	s.calls.Add(1)
	if s.away.Load() {
		return fmt.Errorf("%w: connection refused", kek.ErrUnavailable)
	}
	return nil
}

func (s *service) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	if err := s.answer(); err != nil {
		return nil, err
	}
	out, err := s.Key.EncryptWithContext(ctx, plaintext, ad)
	return append([]byte{byte(s.version.Load() & 0xff)}, out...), err
}

func (s *service) DecryptWithContext(ctx context.Context, ciphertext, ad []byte) ([]byte, error) {
	if err := s.answer(); err != nil {
		return nil, err
	}
	return s.Key.DecryptWithContext(ctx, ciphertext[1:], ad)
}

// watched is a store whose keys are watched by a clock that the test moves.
type watched struct {
	*store.Store
	clock *clocktesting.FakeClock
}

func watch(t *testing.T, config store.Config) *watched {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Now())
	config.Clock, config.KeyCache = clock, 8*time.Hour
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.WatchKeys(ctx) }()
	t.Cleanup(func() { cancel(); <-done; s.Close() })
	return &watched{s, clock}
}

// pass lets time pass, a minute at a time, and waits for what is due each minute.
func (w *watched) pass(t *testing.T, d time.Duration) {
	t.Helper()
	for range d / time.Minute {
		w.settle(t)
		w.clock.Step(time.Minute)
	}
	w.settle(t)
}

// settle waits until the watch waits again.
func (w *watched) settle(t *testing.T) {
	t.Helper()
	for range 60_000 {
		if w.clock.HasWaiters() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the watch does not come to rest")
}

func TestKeysAreUsedForAStatedTimeWithoutTheKeyService(t *testing.T) {
	db := storetest.New(t)
	keys := newService(t, db, 1)
	w := watch(t, configWith(t, db, keys.key()))
	invite(t, w.Store, sealedAddress, 1)
	c, visitor := newConversation(t, w.Store, store.Contact{Name: redacted.New("Ada")})
	w.pass(t, 30*time.Hour)
	if status := w.KeyStatus(); status.Err != nil || w.clock.Since(status.Confirmed) > 2*time.Hour {
		t.Errorf("a service that answers: %+v", status)
	}
	keys.away.Store(true)
	w.pass(t, 6*time.Hour)
	if err := w.Ready(t.Context()); err != nil || w.KeyStatus().Err == nil {
		t.Errorf("within the time: Ready = %v, status %+v", err, w.KeyStatus())
	}
	say(t, w.Store, c, visitor, "still open")
	expectReadable(t, w.Store)

	w.pass(t, 2*time.Hour+time.Minute)
	expectLocked(t, w, c, visitor)

	keys.away.Store(false)
	w.pass(t, 3*time.Minute)
	if err := w.Ready(t.Context()); err != nil || w.KeyStatus().Locked {
		t.Errorf("after the service came back: %v", err)
	}
	say(t, w.Store, c, visitor, "open again")
	expectReadable(t, w.Store)
}

// expectLocked tries everything that takes a key, those that were in use before included.
func expectLocked(t *testing.T, w *watched, c store.Conversation, visitor store.Author) {
	t.Helper()
	appendErr := appendOne(t.Context(), w.Store,
		store.Draft{Conversation: c.ID, Author: visitor, ClientID: uuid.New(), Body: redacted.New("locked")})
	_, readErr := w.EventsAfter(t.Context(), []store.Position{{Conversation: c.ID}}, 10)
	_, listErr := w.RecentConversations(t.Context(), 10)
	_, visitorErr := w.CreateVisitor(t.Context(), [32]byte{7}, time.Hour)
	_, agentErr := w.AgentByEmail(t.Context(), redacted.New(sealedAddress))
	for what, err := range map[string]error{
		"append": appendErr, "read": readErr, "list": listErr, "new visitor": visitorErr, "sign in": agentErr,
		"readiness": w.Ready(t.Context()),
	} {
		if !errors.Is(err, store.ErrLocked) {
			t.Errorf("%s while locked: %v, want ErrLocked", what, err)
		}
	}
	if !w.KeyStatus().Locked {
		t.Error("the status does not say that the keys are locked")
	}
}

func TestTheKeyOfASecretNeedsNoConfirmationButItsLossIsSeen(t *testing.T) {
	db := storetest.New(t)
	lost := newService(t, db, 1)
	key := lost.key()
	key.Remote = false
	w := watch(t, configWith(t, db, key))
	invite(t, w.Store, sealedAddress, 1)
	lost.away.Store(true)
	w.pass(t, 48*time.Hour)
	expectReadable(t, w.Store)
	if status := w.KeyStatus(); status.Err == nil || status.Locked {
		t.Errorf("after the key was lost: %+v, want an error and no lock", status)
	}
}

func TestTheKeyServiceIsAskedAFewTimesAnHourWhateverIsSaid(t *testing.T) {
	db := storetest.New(t)
	keys := newService(t, db, 1)
	w := watch(t, configWith(t, db, keys.key()))
	before := keys.calls.Load()
	for range 20 {
		c, visitor := newConversation(t, w.Store, store.Contact{Name: redacted.New("Ada")})
		say(t, w.Store, c, visitor, "one", "two")
	}
	if asked := keys.calls.Load() - before; asked != 0 {
		t.Errorf("messages asked the key service %d times", asked)
	}
	w.pass(t, 10*time.Hour)
	// Two calls open the keysets, one tells the version, every 45 to 75 minutes.
	if asked := keys.calls.Load() - before; asked < 3*8 || asked > 3*14 {
		t.Errorf("in ten hours the key service was asked %d times", asked)
	}
}

func TestANewVersionBehindTheSameKeyWrapsTheKeysetsAgain(t *testing.T) {
	db := storetest.New(t)
	keys := newService(t, db, 1)
	w := watch(t, configWith(t, db, keys.key()))
	invite(t, w.Store, sealedAddress, 1)
	_, before := wrappedBy(t, db)
	w.pass(t, 3*time.Hour)
	if _, now := wrappedBy(t, db); now != before {
		t.Errorf("wrapped again %d times without a new version", now-before)
	}
	keys.version.Store(2)
	w.pass(t, 3*time.Hour)
	if _, now := wrappedBy(t, db); now != before+1 {
		t.Errorf("wrapped again %d times for one new version", now-before)
	}
	expectReadable(t, openWith(t, db, keys.key()))
}

func TestARotationToAServiceThatIsAwayIsFinishedWhenItIsBack(t *testing.T) {
	db := storetest.New(t)
	keys := newService(t, db, 2)
	invite(t, openWith(t, db, db.Key(t, 1)), sealedAddress, 1)
	keys.away.Store(true)
	w := watch(t, configWith(t, db, db.Key(t, 1), keys.key()))
	expectReadable(t, w.Store)
	w.pass(t, 3*time.Hour)
	if generation, _ := wrappedBy(t, db); generation != 1 {
		t.Errorf("wrapped by generation %d while the newer key is away", generation)
	}
	keys.away.Store(false)
	w.pass(t, 3*time.Hour)
	if generation, _ := wrappedBy(t, db); generation != 2 || w.KeyStatus().Generation != 2 {
		t.Errorf("wrapped by generation %d, status says %d, want 2", generation, w.KeyStatus().Generation)
	}
}

func TestAReplicaGoesOnWithAKeyThatOthersHaveRotatedAway(t *testing.T) {
	db := storetest.New(t)
	old := newService(t, db, 1)
	w := watch(t, configWith(t, db, old.key()))
	invite(t, w.Store, sealedAddress, 1)
	openWith(t, db, old.key(), db.Key(t, 2))
	w.pass(t, 20*time.Hour)
	expectReadable(t, w.Store)
	if status := w.KeyStatus(); status.Err != nil {
		t.Errorf("status: %v", status.Err)
	}
}

func TestADatabaseThatIsAwayDoesNotLockTheKeys(t *testing.T) {
	db := storetest.New(t)
	keys := newService(t, db, 1)
	w := watch(t, configWith(t, db, keys.key()))
	invite(t, w.Store, sealedAddress, 1)
	db.Cluster.Kill()
	w.pass(t, 10*time.Hour)
	if status := w.KeyStatus(); status.Err != nil || status.Locked {
		t.Errorf("without a database: %+v", status)
	}
	db.Cluster.Start(t)
	expectReadable(t, w.Store)
}
