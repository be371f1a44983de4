// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/serverconfig"
)

// Ring holds a tenant's key-encryption keys, newest first.
type Ring struct{ keys []Key }

// NewRing makes a ring of keys of distinct generations, at least one.
func NewRing(keys ...Key) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key-encryption key")
	}
	sorted := slices.SortedFunc(slices.Values(keys), func(a, b Key) int { return cmp.Compare(b.Generation, a.Generation) })
	for i := range sorted[1:] {
		if sorted[i].Generation == sorted[i+1].Generation {
			return nil, fmt.Errorf("two key-encryption keys of generation %d", sorted[i].Generation)
		}
	}
	return &Ring{keys: sorted}, nil
}

// Open prepares the configured keys. It does not ask them anything yet. Those that live outside are reached through the
// egress gateway if there is one, and directly if it is nil.
func Open(config serverconfig.Sealing, gateway *egressconfig.Client) (*Ring, error) {
	configured := append([]serverconfig.KeyEncryptionKey{config.KeyEncryptionKey}, config.Previous...)
	keys := make([]Key, 0, len(configured))
	for i := range configured {
		key, err := open(&configured[i], gateway)
		if err != nil {
			return nil, fmt.Errorf("key-encryption key of generation %d: %w", configured[i].Generation(), err)
		}
		keys = append(keys, key)
	}
	return NewRing(keys...)
}

func open(config *serverconfig.KeyEncryptionKey, gateway *egressconfig.Client) (Key, error) {
	switch {
	case config.SecretKey != nil:
		return FromSecret(*config.SecretKey), nil
	case config.VaultTransit != nil:
		return vaultTransitThrough(gateway, *config.VaultTransit), nil
	case config.KMS != nil:
		return kmsThrough(gateway, *config.KMS), nil
	default:
		return Key{}, errors.New("no provider is configured")
	}
}

// Newest is the key to wrap with.
func (r *Ring) Newest() Key { return r.keys[0] }

// Find returns the key of a generation.
func (r *Ring) Find(generation int64) (Key, bool) {
	i := slices.IndexFunc(r.keys, func(k Key) bool { return k.Generation == generation })
	if i < 0 {
		return Key{}, false
	}
	return r.keys[i], true
}

// String lists generations and names.
func (r *Ring) String() string {
	var parts []string
	for _, k := range r.keys {
		parts = append(parts, fmt.Sprintf("%d (%s)", k.Generation, k.Name))
	}
	return strings.Join(parts, ", ")
}
