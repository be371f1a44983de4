// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/time/rate"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// ErrLocked says that no key is at hand now, because the key service has not confirmed for too long that the tenant's
// may be used.
var ErrLocked = errors.New("keys are locked: the key service has not confirmed them for too long")

// heldKeys are the tenant's keysets at one revision.
type heldKeys struct {
	*seal.Tenant
	revision int64
}

// keyring holds the keysets as this replica last read them, or none while they may not be used.
type keyring struct {
	current atomic.Pointer[heldKeys]
	// reading is taken by whoever reads the keysets and takes them up: everybody who doubts them waits for one reading,
	// and an older state never replaces a newer one.
	reading chan struct{}
	// doubts bounds how often what does not open makes the keysets be read.
	doubts *rate.Limiter
	// changed is rung when another replica changed the keysets, or asks for a rotation.
	changed chan struct{}
}

// Refused ciphertext may be there by the thousand; the keysets are not read again for each.
const (
	doubtInterval = time.Second
	doubtBurst    = 5
)

func newKeyring() *keyring {
	return &keyring{
		reading: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		doubts: rate.NewLimiter(rate.Every(doubtInterval), doubtBurst),
	}
}

// lock forgets the keysets.
func (k *keyring) lock() { k.current.Store(nil) }

func (k *keyring) locked() bool { return k.current.Load() == nil }

// held returns the keysets, or ErrLocked.
func (k *keyring) held() (*heldKeys, error) {
	if keys := k.current.Load(); keys != nil {
		return keys, nil
	}
	return nil, ErrLocked
}

// read runs a function that reads the keysets and takes them up, one at a time.
func (k *keyring) read(ctx context.Context, task func() error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case k.reading <- struct{}{}:
	}
	defer func() { <-k.reading }()
	return task()
}

// ring never blocks: one signal is as good as many.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

var (
	// errStale says that the keysets changed since they were read.
	errStale = errors.New("keysets are out of date")
	// errDoubt is not seal.ErrRefused: whether the ciphertext is to be believed refused is not known yet.
	errDoubt = errors.New("ciphertext names an unknown key, and the keysets were read again too often")
)

// stateKeyNotPrimary is what the database says of a row sealed with a key that is not the primary one.
const stateKeyNotPrimary = "CT001"

func isStale(err error) bool {
	var pgErr *pgconn.PgError
	return errors.Is(err, errStale) || errors.As(err, &pgErr) && pgErr.Code == stateKeyNotPrimary
}

// isLost tells what will never open from what may open another time, or with the keysets as they are now if those were
// not read again.
func isLost(err error, again bool) bool {
	return errors.Is(err, seal.ErrRefused) && (again || !errors.Is(err, seal.ErrUnknownKey))
}

// staleTries is how often work is begun anew because the keysets changed under it. They change a few times a year.
const staleTries = 3

// withKeys does work that seals or opens something. The keysets are read again, and the work is done again, if the
// database says that they changed or if something names a key they do not have. Only after that a refusal is believed.
// A rerun reads the rows again too, which may have been sealed with a key that went since.
func withKeys[T any](ctx context.Context, s *Store, work func(*heldKeys) (T, error)) (out T, err error) {
	for try := 1; ; try++ {
		keys, err := s.keys.held()
		if err != nil {
			return out, err
		}
		out, err = work(keys)
		stale := isStale(err)
		if try == staleTries || !stale && (try > 1 || !errors.Is(err, seal.ErrUnknownKey)) {
			return out, err
		}
		if err := s.rereadKeys(ctx, keys, stale); err != nil {
			return out, err
		}
	}
}

// checkKeys reports errStale if the keysets changed: what is not there may be there under another key.
func (s *Store) checkKeys(ctx context.Context, keys *heldKeys) error {
	var revision int64
	if err := s.pool.QueryRow(ctx, `SELECT revision FROM tenant_keyset`).Scan(&revision); err != nil {
		return fmt.Errorf("read keyset revision: %w", err)
	}
	if revision != keys.revision {
		return errStale
	}
	return nil
}

// rereadKeys replaces the keysets seen, unless somebody else did meanwhile. Mere doubt may be turned away.
func (s *Store) rereadKeys(ctx context.Context, seen *heldKeys, certain bool) error {
	return s.keys.read(ctx, func() error {
		if s.keys.current.Load() != seen {
			return nil
		}
		if !certain && !s.keys.doubts.Allow() {
			return errDoubt
		}
		return s.loadKeys(ctx)
	})
}

// renewKeys takes up the keysets if they changed. Locked ones stay locked until the key service confirms them.
func (s *Store) renewKeys(ctx context.Context) error {
	return s.keys.read(ctx, func() error {
		if s.keys.locked() {
			return nil
		}
		return s.loadKeys(ctx)
	})
}

// loadKeys takes up the keysets as they are now. Only for keyring.read.
func (s *Store) loadKeys(ctx context.Context) error {
	record, err := s.readKeysets(ctx)
	if err != nil {
		return err
	}
	// A restored database may count the same revision for other keysets.
	if known := s.watch.known(); !s.keys.locked() && known.revision == record.revision &&
		bytes.Equal(known.wrapped.Sealing, record.wrapped.Sealing) {
		return nil
	}
	return s.unlock(ctx, record)
}
