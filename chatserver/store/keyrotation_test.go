// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// configWith is a store's configuration with these key-encryption keys.
func configWith(t *testing.T, db *storetest.Database, keys ...kek.Key) store.Config {
	t.Helper()
	config := db.StoreConfig(t)
	config.Keys = storetest.Ring(t, keys...)
	return config
}

func openWith(t *testing.T, db *storetest.Database, keys ...kek.Key) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), configWith(t, db, keys...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// wrappedBy reads which key wraps the keysets now, and how often they changed.
func wrappedBy(t *testing.T, db *storetest.Database) (generation, revision int64) {
	t.Helper()
	err := db.Admin(t).QueryRow(t.Context(), `SELECT kek_generation, revision FROM tenant_keyset`).
		Scan(&generation, &revision)
	if err != nil {
		t.Fatal(err)
	}
	return generation, revision
}

const sealedAddress = "ada@example.org"

// expectReadable reads what was sealed with the tenant's keyset and finds it by its blind index.
func expectReadable(t *testing.T, s *store.Store) {
	t.Helper()
	if a, err := s.AgentByEmail(t.Context(), redacted.New(sealedAddress)); err != nil || a.DisplayName.Reveal() == "" {
		t.Errorf("what was sealed is not readable: %v", err)
	}
}

func TestAReplicaWithANewerKeyMovesTheKeysetsAndReadsEverything(t *testing.T) {
	db := storetest.New(t)
	one, two, three := db.Key(t, 1), db.Key(t, 2), db.Key(t, 3)
	running := openWith(t, db, one)
	invite(t, running, sealedAddress, 1)
	expectReadable(t, openWith(t, db, one, two))
	if generation, _ := wrappedBy(t, db); generation != 2 {
		t.Errorf("wrapped by generation %d, want 2", generation)
	}
	expectReadable(t, running)
	// The older key is needed no more; a generation that was never used is no obstacle.
	expectReadable(t, openWith(t, db, two))
	expectReadable(t, openWith(t, db, two, three))
	expectReadable(t, openWith(t, db, three))
}

func TestAKeyThatIsNotConfiguredOrIsAnotherIsNamedByItsGeneration(t *testing.T) {
	db := storetest.New(t)
	openWith(t, db, db.Key(t, 1), db.Key(t, 2))
	wrong := db.Key(t, 3)
	wrong.Generation = 2
	tests := map[string]struct {
		keys []kek.Key
		want string
	}{
		"only an older one":            {[]kek.Key{db.Key(t, 1)}, "generation 2 (secret), configured are 1 (secret)"},
		"only a newer one":             {[]kek.Key{db.Key(t, 3)}, "generation 2 (secret), configured are 3 (secret)"},
		"another of the same number":   {[]kek.Key{wrong}, "generation 2 (secret)"},
		"another, with an older one":   {[]kek.Key{wrong, db.Key(t, 1)}, "generation 2 (secret)"},
		"a newer and an older, no two": {[]kek.Key{db.Key(t, 3), db.Key(t, 1)}, "configured are 3 (secret), 1 (secret)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := open(t, configWith(t, db, test.keys...))
			if !errors.Is(err, store.ErrMisconfigured) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open = %v, want ErrMisconfigured with %q", err, test.want)
			}
		})
	}
}

func TestReplicasThatRotateAtOnceAgree(t *testing.T) {
	const replicas = 4
	db := storetest.New(t)
	invite(t, openWith(t, db, db.Key(t, 1)), sealedAddress, 1)
	_, before := wrappedBy(t, db)
	var wg sync.WaitGroup
	opened := make([]*store.Store, replicas)
	config := configWith(t, db, db.Key(t, 1), db.Key(t, 2))
	for i := range opened {
		wg.Go(func() {
			var err error
			if opened[i], err = store.Open(t.Context(), config); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if generation, revision := wrappedBy(t, db); generation != 2 || revision != before+1 {
		t.Errorf("wrapped by generation %d after %d changes, want generation 2 after one", generation, revision-before)
	}
	for _, s := range opened {
		if s == nil {
			continue
		}
		expectReadable(t, s)
		s.Close()
	}
	expectReadable(t, openWith(t, db, db.Key(t, 2)))
}

// interrupted is a key whose nth call ends the process's work: the context is cancelled before or after the call.
type interrupted struct {
	kek.Key
	calls *atomic.Int64
	at    int64
	stop  context.CancelFunc
}

func (k interrupted) step() bool {
	last := k.calls.Add(1) == k.at
	if last {
		k.stop()
	}
	return last
}

func (k interrupted) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	k.step()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return k.KEK.EncryptWithContext(ctx, plaintext, ad)
}

func (k interrupted) DecryptWithContext(ctx context.Context, ciphertext, ad []byte) ([]byte, error) {
	// The last call still succeeds: what is interrupted then is the writing that follows.
	if !k.step() && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return k.KEK.DecryptWithContext(ctx, ciphertext, ad)
}

func TestARotationInterruptedAnywhereLeavesKeysetsThatOpen(t *testing.T) {
	// Two calls open the keysets; two open, two wrap and two check them again while they move.
	const calls = 8
	for _, first := range []bool{false, true} {
		for at := int64(1); at <= calls+1; at++ {
			t.Run(fmt.Sprintf("first=%v/at=%d", first, at), func(t *testing.T) {
				db := storetest.New(t)
				if !first {
					invite(t, openWith(t, db, db.Key(t, 1)), sealedAddress, 1)
				}
				interruptedOpen(t, db, at)
				s := openWith(t, db, db.Key(t, 1), db.Key(t, 2))
				if first {
					invite(t, s, sealedAddress, 1)
				}
				expectReadable(t, s)
				if generation, _ := wrappedBy(t, db); generation != 2 {
					t.Errorf("wrapped by generation %d, want 2", generation)
				}
				expectReadable(t, openWith(t, db, db.Key(t, 2)))
			})
		}
	}
}

// interruptedOpen opens a store that is stopped at the nth call of a key.
func interruptedOpen(t *testing.T, db *storetest.Database, at int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls atomic.Int64
	keys := []kek.Key{db.Key(t, 1), db.Key(t, 2)}
	for i := range keys {
		keys[i].KEK = interrupted{Key: keys[i], calls: &calls, at: at, stop: cancel}
	}
	s, err := store.Open(ctx, configWith(t, db, keys...))
	if err == nil {
		s.Close()
	}
}

// mute encrypts but never decrypts, as a key service's policy may have it.
type mute struct{ kek.Key }

func (mute) DecryptWithContext(context.Context, []byte, []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: permission denied", kek.ErrUnavailable)
}

func TestAKeyThatMayOnlyEncryptNeverGetsTheKeysets(t *testing.T) {
	db := storetest.New(t)
	blind := db.Key(t, 2)
	blind.KEK = mute{blind}
	if err := open(t, configWith(t, db, blind)); !errors.Is(err, store.ErrKeyService) ||
		errors.Is(err, store.ErrMisconfigured) {
		t.Errorf("Open = %v, want ErrKeyService, for which waiting may help", err)
	}
	invite(t, openWith(t, db, db.Key(t, 1)), sealedAddress, 1)
	expectReadable(t, openWith(t, db, db.Key(t, 1), blind))
	if generation, _ := wrappedBy(t, db); generation != 1 {
		t.Errorf("wrapped by generation %d, want 1", generation)
	}
}
