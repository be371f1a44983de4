// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

// ErrKeyService says that a key-encryption key could not be used now.
var ErrKeyService = kek.ErrUnavailable

// openKeys opens the tenant's keysets, made by whichever replica comes first, and moves them to the newest key.
func (s *Store) openKeys(ctx context.Context) error {
	record, err := s.ensureKeysets(ctx)
	if err != nil {
		return hopeless(err)
	}
	if err := s.unlock(ctx, record); err != nil {
		return hopeless(err)
	}
	if err := s.notePrimaries(ctx); err != nil {
		return err
	}
	err = hopeless(s.rewrap(ctx))
	if err == nil || errors.Is(err, ErrMisconfigured) {
		return err
	}
	// The older key did open them: serving need not wait for the newest.
	s.config.Logger.Error("Cannot wrap the keysets with the newest key-encryption key yet", "err", err)
	return nil
}

// hopeless marks errors of keys that no second try can mend.
func hopeless(err error) error {
	if errors.Is(err, seal.ErrRefused) || errors.Is(err, kek.ErrUnusable) {
		return fmt.Errorf("%w: %w", ErrMisconfigured, err)
	}
	return err
}

// unlock opens the keysets of record with the key that wrapped them and holds them from now on.
func (s *Store) unlock(ctx context.Context, record keysetRecord) error {
	key, err := s.keyOf(record)
	if err != nil {
		return err
	}
	tenant, err := seal.OpenTenant(ctx, key, s.config.Tenant, record.wrapped)
	if err != nil {
		return fmt.Errorf("open tenant keysets, wrapped by key generation %d (%s), with %s: %w", record.generation,
			record.kek, key.Name, err)
	}
	s.keys.current.Store(&heldKeys{Tenant: tenant, revision: record.revision})
	s.watch.confirm(record, s.config.Clock.Now())
	return nil
}

func (s *Store) keyOf(record keysetRecord) (kek.Key, error) {
	key, ok := s.config.Keys.Find(record.generation)
	if !ok {
		return kek.Key{}, fmt.Errorf("%w: tenant keysets are wrapped by key generation %d (%s), configured are %s",
			ErrMisconfigured, record.generation, record.kek, s.config.Keys)
	}
	return key, nil
}

// notePrimaries tells the database which keys are the primary ones, of keysets that were just made or are older than
// that was noted.
func (s *Store) notePrimaries(ctx context.Context) error {
	keys, err := s.keys.held()
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `
		UPDATE tenant_keyset SET sealing_primary = $2, index_primary = $3
		WHERE revision = $1 AND sealing_primary IS NULL`,
		keys.revision, keys.KeyIDs(seal.Sealing).Primary, keys.KeyIDs(seal.Index).Primary)
	if err != nil {
		return fmt.Errorf("note primary keys: %w", err)
	}
	return nil
}

// subjectKey is the key of a visitor as of a revision of their keyset.
type subjectKey struct {
	*seal.Key
	revision int64
}

// subject returns the key of a visitor, of this revision or a later one, from memory if it was used lately.
func (s *Store) subject(
	ctx context.Context, keys *heldKeys, visitor uuid.UUID, revision int64,
) (*subjectKey, error) {
	if key, ok := s.cachedSubject(visitor, revision); ok {
		return key, nil
	}
	return s.readSubject(ctx, s.pool, keys, visitor)
}

// readSubject returns the key of a visitor as it is now.
func (s *Store) readSubject(ctx context.Context, q querier, keys *heldKeys, visitor uuid.UUID) (*subjectKey, error) {
	var wrapped []byte
	var revision int64
	err := q.QueryRow(ctx, `SELECT wrapped, revision FROM subject_key WHERE visitor = $1`, visitor).
		Scan(&wrapped, &revision)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("subject key: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read subject key: %w", err)
	}
	return s.openSubject(keys, visitor, revision, wrapped)
}

// cachedSubject finds nothing while the keys are locked.
func (s *Store) cachedSubject(visitor uuid.UUID, revision int64) (*subjectKey, bool) {
	if s.keys.locked() {
		return nil, false
	}
	known, _ := s.subjects.Get(visitor)
	key, ok := known.(*subjectKey)
	return key, ok && key.revision >= revision
}

func (s *Store) openSubject(
	keys *heldKeys, visitor uuid.UUID, revision int64, wrapped []byte,
) (*subjectKey, error) {
	if key, ok := s.cachedSubject(visitor, revision); ok {
		return key, nil
	}
	key, err := keys.OpenSubject(visitor, wrapped)
	if err != nil {
		return nil, fmt.Errorf("open subject key: %w", err)
	}
	opened := &subjectKey{Key: key, revision: revision}
	s.subjects.Add(visitor, opened)
	return opened, nil
}
