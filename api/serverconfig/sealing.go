// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Sealing says which keys wrap the tenant's keysets. The newest wraps them, also what an earlier one wrapped before;
// adding a key of the next generation is what rotates it, wherever either lives.
type Sealing struct {
	// KeyEncryptionKey is the newest key.
	KeyEncryptionKey `json:",inline"`
	// Previous keys open what they wrapped. Backups made in their time need them, so they stay.
	Previous []KeyEncryptionKey `json:"previous,omitempty"`
	// CacheSeconds is how long the keysets are used without a key service confirming that they may still be opened, 0 for
	// a day. Taking the key away there takes effect within that time. A key from a Secret needs no confirmation.
	CacheSeconds int32 `json:"cacheSeconds,omitempty"`
	// RotateAfterDays is the age at which the tenant's own keys are replaced, 90 if it is missing, 0 for never.
	RotateAfterDays *int32 `json:"rotateAfterDays,omitempty"`
}

// KeyEncryptionKey is one key. Exactly one provider is set.
type KeyEncryptionKey struct {
	// SecretKey reads the key from a file: 32 random bytes.
	SecretKey *SecretKey `json:"secretKey,omitempty"`
	// VaultTransit asks Vault or OpenBao.
	VaultTransit *VaultTransit `json:"vaultTransit,omitempty"`
	// KMS asks a cloud's key management service.
	KMS *KMS `json:"kms,omitempty"`
}

// SecretKey is a key-encryption key mounted from a Secret.
type SecretKey struct {
	File string `json:"file"`
	// Generation counts rotations, from 1; it is recorded beside what the key wraps. One generation is one key, for ever.
	Generation int64 `json:"generation"`
}

const (
	defaultCache = 24 * time.Hour
	// shortestCache leaves time for a key service to be restarted.
	shortestCache = 5 * time.Minute
	// defaultRotateAfterDays bounds what one key seals, and what it is worth.
	defaultRotateAfterDays = 90
)

// CacheTime is CacheSeconds as a duration.
func (s *Sealing) CacheTime() time.Duration {
	return cmp.Or(time.Duration(s.CacheSeconds)*time.Second, defaultCache)
}

// RotateAfter is RotateAfterDays as a duration.
func (s *Sealing) RotateAfter() time.Duration {
	const day = 24 * time.Hour
	if s.RotateAfterDays == nil {
		return defaultRotateAfterDays * day
	}
	return time.Duration(*s.RotateAfterDays) * day
}

// Generation is that of whichever provider is set, 0 if none is.
func (k *KeyEncryptionKey) Generation() int64 {
	switch {
	case k.SecretKey != nil:
		return k.SecretKey.Generation
	case k.VaultTransit != nil:
		return k.VaultTransit.Generation
	case k.KMS != nil:
		return k.KMS.Generation
	default:
		return 0
	}
}

func (s *Sealing) validate() []error {
	errs := s.KeyEncryptionKey.validate("sealing")
	used := map[int64]bool{s.Generation(): true}
	for i := range s.Previous {
		path, previous := fmt.Sprintf("sealing.previous[%d]", i), &s.Previous[i]
		errs = append(errs, previous.validate(path)...)
		if g := previous.Generation(); used[g] || g > s.Generation() {
			errs = append(errs, fmt.Errorf("%s: generation %d: want one of its own below %d, the newest key's", path, g,
				s.Generation()))
		}
		used[previous.Generation()] = true
	}
	if s.CacheSeconds != 0 && s.CacheTime() < shortestCache {
		errs = append(errs, fmt.Errorf("sealing.cacheSeconds: want 0 or at least %.0f", shortestCache.Seconds()))
	}
	if s.RotateAfterDays != nil && *s.RotateAfterDays < 0 {
		errs = append(errs, errors.New("sealing.rotateAfterDays: want 0 or more"))
	}
	return errs
}

func (k *KeyEncryptionKey) validate(path string) []error {
	var errs []error
	providers := 0
	if k.SecretKey != nil {
		providers++
		errs = missing(field{path + ".secretKey.file", k.SecretKey.File})
	}
	if k.VaultTransit != nil {
		providers++
		errs = append(errs, k.VaultTransit.validate(path+".vaultTransit")...)
	}
	if k.KMS != nil {
		providers++
		errs = append(errs, k.KMS.validate(path+".kms")...)
	}
	if providers != 1 {
		return append(errs, fmt.Errorf("%s: want exactly one of secretKey, vaultTransit and kms", path))
	}
	if k.Generation() < 1 {
		errs = append(errs, fmt.Errorf("%s: generation: want at least 1", path))
	}
	return errs
}
