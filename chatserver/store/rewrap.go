// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// rewrap moves the open keysets to the newest key, or to a newer version of it. Replicas may try at once: the first to
// store its result wins, the others drop theirs and look again. At any moment the one row that counts opens with a
// configured key.
func (s *Store) rewrap(ctx context.Context) error {
	for replaced := false; !replaced; {
		record := s.watch.known()
		behind, err := s.behind(ctx, record)
		if err != nil || !behind {
			return err
		}
		if replaced, err = s.rewrapOnce(ctx, record); err != nil {
			return err
		}
		// Believed is only what this replica has opened itself.
		if record, err = s.readKeysets(ctx); err != nil {
			return err
		}
		if err := s.unlock(ctx, record); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) rewrapOnce(ctx context.Context, record keysetRecord) (replaced bool, err error) {
	old, err := s.keyOf(record)
	if err != nil {
		return false, err
	}
	newest := s.config.Keys.Newest()
	wrapped, err := seal.Rewrap(ctx, old, newest, s.config.Tenant, record.wrapped)
	if err != nil {
		return false, fmt.Errorf("rewrap tenant keysets from key generation %d to %d: %w", old.Generation,
			newest.Generation, err)
	}
	replaced, err = s.replaceKeysets(ctx, record, newest, wrapped)
	if replaced {
		s.config.Logger.Info("Wrapped the keysets with the newest key-encryption key", "from", old.Generation,
			"to", newest.Generation, "key", newest.Name)
	}
	return replaced, err
}

// behind tells whether the keysets are wrapped by anything but the newest version of the newest key. Which version that
// is a key says by encrypting: asking for it would take a further permission.
func (s *Store) behind(ctx context.Context, record keysetRecord) (bool, error) {
	newest := s.config.Keys.Newest()
	if record.generation < newest.Generation {
		return true, nil
	}
	if newest.Version == nil || record.generation > newest.Generation {
		return false, nil
	}
	wrapped, err := record.wrapped.Ciphertext()
	if err != nil {
		return false, err
	}
	sample, err := newest.EncryptWithContext(ctx, []byte{0}, nil)
	if err != nil {
		return false, fmt.Errorf("ask for the version of key generation %d: %w", newest.Generation, err)
	}
	return newest.Version(wrapped) < newest.Version(sample), nil
}
