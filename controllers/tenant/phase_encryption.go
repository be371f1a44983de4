// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// firstKeyGeneration is that of the key a tenant is born with.
const firstKeyGeneration = 1

// keySize is that of an AES-256 key, in bytes.
const keySize = sha256.Size

// encryption creates a key-encryption key for every generation that lives in a Secret, once, and takes one that lives
// elsewhere into use when the chat server can reach it. The status remembers how far that came, because the operator
// cannot see Secrets: one that exists already is the tenant's own, nobody else can create Secrets of that name here. A
// key that is lost is never replaced: a new one would only hide that the data can no longer be read.
func (r *Reconciler) encryption(ctx context.Context, s *scope) (outcome, error) {
	declared := s.tenant.Spec.Encryption
	if err := policy.CheckKeys(declared, r.APIAudiences); err != nil {
		s.keysUnknown = true
		return outcome{stalled, v1alpha1.ReasonKeyInvalid, fmt.Sprintf("Correct %v", err)}, nil
	}
	if result := s.keyOutOfReach(declared.NewestKey()); result != nil {
		// Chat servers go on with the key that they have. Where the status does not say which that is, they are left alone.
		s.keysUnknown = s.status.Encryption == nil
		return *result, nil
	}
	for next := s.keyGeneration() + 1; next <= declared.NewestKey(); next++ {
		if err := r.provideKey(ctx, s, next); err != nil {
			s.keysUnknown = true
			return outcome{}, err
		}
	}
	return s.keyInUse(), nil
}

// provideKey makes the Secret of a generation that lives in one, and notes that the generation may be used.
func (r *Reconciler) provideKey(ctx context.Context, s *scope, generation int64) error {
	key := s.tenant.Spec.Encryption.External(generation)
	if key == nil {
		if err := r.createKey(ctx, s, generation); err != nil {
			return err
		}
	}
	if s.status.Encryption == nil {
		s.status.Encryption = &v1alpha1.EncryptionStatus{}
	}
	s.status.Encryption.Provider, s.status.Encryption.KeyGeneration = key.Provider(), generation
	return nil
}

func (r *Reconciler) createKey(ctx context.Context, s *scope, generation int64) error {
	key := make([]byte, keySize)
	defer clear(key)
	if _, err := io.ReadFull(r.Random, key); err != nil {
		return fmt.Errorf("draw a key: %w", err)
	}
	err := r.Client.Create(ctx, desired.Keys(r.input(s), generation, key))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create the key-encryption key of generation %d: %w", generation, err)
	}
	return nil
}

// keyGeneration is that of the newest key that may be used, 0 while there is none.
func (s *scope) keyGeneration() int64 {
	if s.status.Encryption == nil {
		return 0
	}
	return s.status.Encryption.KeyGeneration
}

// noteRotation is called when every chat server runs as configured. A chat server is ready only once the newest key
// wraps the tenant's keysets, so the newest generation is the active one.
func (r *Reconciler) noteRotation(s *scope) {
	status := s.status.Encryption
	if status == nil || status.ActiveGeneration == status.KeyGeneration {
		return
	}
	if status.ActiveGeneration > 0 {
		status.LastRotationTime = new(metav1.NewTime(r.Clock.Now()))
	}
	status.ActiveGeneration = status.KeyGeneration
}
