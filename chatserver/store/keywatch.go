// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// confirmInterval is the mean time between two confirmations by a key that answers, confirmRetry by one that does not.
	confirmInterval = time.Hour
	confirmRetry    = time.Minute
	// confirmTimeout bounds one confirmation, the database's part included.
	confirmTimeout = 30 * time.Second
)

// KeyStatus says how the tenant's keys are.
type KeyStatus struct {
	// Generation is that of the key-encryption key that wraps the keysets, as this replica last saw it.
	Generation int64
	// WrappedAt is when the keysets were wrapped, by the database's clock.
	WrappedAt time.Time
	// Confirmed is when the key last opened the keysets, and Err why it did not when asked after that.
	Confirmed time.Time
	Err       error
	// Locked says that the keys may not be used until they are confirmed again.
	Locked bool
}

// keyWatch is what is known about the key that opened the keysets.
type keyWatch struct {
	mu        sync.Mutex
	record    keysetRecord
	confirmed time.Time
	err       error
}

func (w *keyWatch) confirm(record keysetRecord, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record, w.confirmed, w.err = record, at, nil
}

func (w *keyWatch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *keyWatch) known() keysetRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.record
}

// KeyStatus reports on the keys.
func (s *Store) KeyStatus() KeyStatus {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	return KeyStatus{
		Generation: s.watch.record.generation, WrappedAt: s.watch.record.wrappedAt,
		Confirmed: s.watch.confirmed, Err: s.watch.err, Locked: s.keys.locked(),
	}
}

// WatchKeys has the key-encryption key confirm again and again, until ctx ends, that it still opens the keysets. Keys
// of a service that has not done so for the configured time are forgotten, and opened again when it does. It also
// finishes rotations: to a newer key that could not be reached before, and to a newer version behind the same key.
func (s *Store) WatchKeys(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.config.Clock.After(s.untilConfirmation()):
		}
		s.confirmKeys(ctx)
	}
}

// untilConfirmation spreads the replicas' questions. It ends no later than the time for which the keys may be used.
func (s *Store) untilConfirmation() time.Duration {
	status := s.KeyStatus()
	wait := min(confirmInterval, s.config.KeyCache/4)
	if status.Err != nil {
		wait = min(confirmRetry, wait)
	}
	wait = wait*3/4 + rand.N(wait/2) //nolint:gosec // Spreads load, hides nothing.
	if left := s.config.KeyCache - s.config.Clock.Since(status.Confirmed); s.expires() && left > 0 {
		wait = min(wait, left)
	}
	return wait
}

// expires tells whether somebody else may take the key away.
func (s *Store) expires() bool {
	key, _ := s.config.Keys.Find(s.watch.known().generation)
	return key.Remote
}

func (s *Store) confirmKeys(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	err := s.keys.read(bounded, func() error {
		err := s.reopenKeys(bounded)
		if err == nil {
			s.finishRotation(bounded)
		}
		return err
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	s.watch.fail(err)
	s.config.Logger.Error("The key-encryption key does not confirm the tenant's keys", "err", err,
		"confirmed", s.KeyStatus().Confirmed)
	if s.expires() && !s.keys.locked() && s.config.Clock.Since(s.KeyStatus().Confirmed) >= s.config.KeyCache {
		s.lockKeys()
		s.config.Logger.Error("The keys are locked until the key service answers", "after", s.config.KeyCache.String())
	}
}

// lockKeys forgets every open key.
func (s *Store) lockKeys() {
	s.keys.lock()
	s.subjects.Clear()
}

// reopenKeys opens the keysets as they are stored now. Where the database does not answer, or another replica moved
// them to a key that this one does not have yet, the copy opened last has to do.
func (s *Store) reopenKeys(ctx context.Context) error {
	record, err := s.readKeysets(ctx)
	if err == nil {
		if _, err = s.keyOf(record); err == nil {
			return s.unlock(ctx, record)
		}
	}
	s.config.Logger.Warn("Confirming the keysets by an earlier copy", "err", err)
	return s.unlock(ctx, s.watch.known())
}

// finishRotation tries again what could not be done at start. It never takes away that the keys are open.
func (s *Store) finishRotation(ctx context.Context) {
	if err := s.rewrap(ctx); err != nil {
		s.config.Logger.Error("Cannot wrap the keysets with the newest key-encryption key yet", "err", err)
	}
}
