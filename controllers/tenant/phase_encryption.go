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
	"k8s.io/utils/ptr"

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
// cannot see Secrets. A key that is lost is never replaced: a new one would only hide that the data can no longer be
// read.
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
		result, err := r.provideKey(ctx, s, next)
		if err != nil || result.progress != done {
			s.keysUnknown = err != nil || s.status.Encryption == nil
			return result, err
		}
	}
	s.status.AnnouncedKeyGeneration = 0
	return s.keyInUse(), nil
}

// provideKey makes the Secret of a generation that lives in one, and notes that the generation may be used. Before it
// makes one, it asks whether the name is free and writes that down: a Secret that is there already is somebody else's
// before the announcement, and its own after it.
func (r *Reconciler) provideKey(ctx context.Context, s *scope, generation int64) (outcome, error) {
	key := s.tenant.Spec.Encryption.External(generation)
	if key == nil {
		result, err := r.announceKey(ctx, s, generation)
		if err != nil || result.progress != done {
			return result, err
		}
		if err := r.createKey(ctx, s, generation); err != nil {
			return outcome{}, err
		}
	}
	if s.status.Encryption == nil {
		s.status.Encryption = &v1alpha1.EncryptionStatus{}
	}
	s.status.Encryption.Provider, s.status.Encryption.KeyGeneration = key.Provider(), generation
	return outcome{progress: done}, nil
}

func (r *Reconciler) announceKey(ctx context.Context, s *scope, generation int64) (outcome, error) {
	if s.tenant.Status.AnnouncedKeyGeneration >= generation || adopting(s) || forgotten(s) {
		return outcome{progress: done}, nil
	}
	if foreign, err := r.foreignSecret(ctx, s, desired.KeySecretName(generation)); foreign != nil || err != nil {
		return ptr.Deref(foreign, outcome{}), err
	}
	s.status.AnnouncedKeyGeneration = generation
	s.requeue(soon)
	return outcome{waiting, v1alpha1.ReasonKeyAnnounced,
		fmt.Sprintf("Key-encryption key of generation %d is about to be made", generation)}, nil
}

// forgotten says whether the status lost what it said about keys. No database is made before its key, so where there is
// one the keys are the tenant's own: to call them foreign would invite somebody to delete them.
func forgotten(s *scope) bool { return s.tenant.Status.Encryption == nil && s.database != nil }

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
