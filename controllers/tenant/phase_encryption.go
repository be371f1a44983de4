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
)

// firstKeyGeneration is that of the key a tenant is born with.
const firstKeyGeneration = 1

// keySize is that of an AES-256 key, in bytes.
const keySize = sha256.Size

// encryption creates a key-encryption key for every generation, once. The operator cannot see Secrets, so the status
// remembers which it made. Before it makes one, it asks whether the name is free and writes that down: a Secret that is
// there already is somebody else's before the announcement, and its own after it. A key that is lost is never replaced:
// a new one would only hide that the data can no longer be read.
func (r *Reconciler) encryption(ctx context.Context, s *scope) (outcome, error) {
	for newest := newestKey(s); newest < wantedKeyGeneration(s.tenant); newest++ {
		result, err := r.makeKey(ctx, s, newest+1)
		if err != nil || result.progress != done {
			return result, err
		}
	}
	s.status.AnnouncedKeyGeneration = 0
	return outcome{done, v1alpha1.ReasonKeyCreated,
		fmt.Sprintf("Key-encryption key of generation %d was created", newestKey(s))}, nil
}

// newestKey is the generation of the newest key, zero if there is none.
func newestKey(s *scope) int64 {
	if s.status.Encryption == nil {
		return 0
	}
	return s.status.Encryption.KeyGeneration
}

// forgotten says whether the status lost what it said about keys. No database is made before its key, so where there is
// one the keys are the tenant's own: to call them foreign would invite somebody to delete them.
func forgotten(s *scope) bool { return s.tenant.Status.Encryption == nil && s.database != nil }

func (r *Reconciler) makeKey(ctx context.Context, s *scope, generation int64) (outcome, error) {
	if s.tenant.Status.AnnouncedKeyGeneration < generation && !adopting(s) && !forgotten(s) {
		if foreign, err := r.foreignSecret(ctx, s, desired.KeySecretName(generation)); foreign != nil || err != nil {
			return ptr.Deref(foreign, outcome{}), err
		}
		s.status.AnnouncedKeyGeneration = generation
		s.requeue(soon)
		return outcome{waiting, v1alpha1.ReasonKeyAnnounced,
			fmt.Sprintf("Key-encryption key of generation %d is about to be made", generation)}, nil
	}
	if err := r.createKey(ctx, s, generation); err != nil {
		return outcome{}, err
	}
	if s.status.Encryption == nil {
		s.status.Encryption = &v1alpha1.EncryptionStatus{Provider: v1alpha1.EncryptionSecret}
	}
	s.status.Encryption.KeyGeneration = generation
	return outcome{progress: done}, nil
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

func wantedKeyGeneration(tenant *v1alpha1.ChatTenant) int64 {
	if e := tenant.Spec.Encryption; e != nil && e.Secret != nil {
		return e.Secret.Generation
	}
	return firstKeyGeneration
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
