// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// keysets are a tenant's keysets in the clear.
type keysets struct{ sealing, index *keyset.Handle }

func (k keysets) wrap(ctx context.Context, kek KEK, tenant string) (out Wrapped, err error) {
	if out.Sealing, err = wrapUnder(ctx, kek, k.sealing, tenant, sealingPlace()); err != nil {
		return Wrapped{}, err
	}
	if out.Index, err = wrapUnder(ctx, kek, k.index, tenant, indexPlace()); err != nil {
		return Wrapped{}, err
	}
	return out, nil
}

func unwrapKeysets(ctx context.Context, kek KEK, tenant string, wrapped Wrapped) (out keysets, err error) {
	if out.sealing, err = unwrapUnder(ctx, kek, wrapped.Sealing, tenant, sealingPlace()); err != nil {
		return keysets{}, err
	}
	if out.index, err = unwrapUnder(ctx, kek, wrapped.Index, tenant, indexPlace()); err != nil {
		return keysets{}, err
	}
	return out, nil
}

// Rewrap moves a tenant's keysets from one KEK to another, which may be the same with a newer version behind it. What
// it returns was opened again with the new KEK: one that may encrypt but not decrypt never gets hold of the keysets.
func Rewrap(ctx context.Context, from, to KEK, tenant string, wrapped Wrapped) (Wrapped, error) {
	open, err := unwrapKeysets(ctx, from, tenant, wrapped)
	if err != nil {
		return Wrapped{}, err
	}
	return open.wrapOpenable(ctx, to, tenant)
}

// wrapOpenable is wrap with a proof that the KEK opens again what it wrapped.
func (k keysets) wrapOpenable(ctx context.Context, kek KEK, tenant string) (Wrapped, error) {
	fresh, err := k.wrap(ctx, kek, tenant)
	if err != nil {
		return Wrapped{}, err
	}
	if _, err := unwrapKeysets(ctx, kek, tenant, fresh); err != nil {
		return Wrapped{}, fmt.Errorf("open again what was wrapped: %w", err)
	}
	return fresh, nil
}

// Ciphertext is what the KEK made of the sealing keyset: some keys note their version in it.
func (w Wrapped) Ciphertext() ([]byte, error) {
	encrypted, err := keyset.NewBinaryReader(bytes.NewReader(w.Sealing)).ReadEncrypted()
	if err != nil {
		return nil, fmt.Errorf("read wrapped keyset: %w", err)
	}
	return encrypted.GetEncryptedKeyset(), nil
}
