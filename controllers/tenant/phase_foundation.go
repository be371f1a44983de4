// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// firstKeyGeneration is that of the key a tenant is born with.
const firstKeyGeneration = 1

// keySize is that of an AES-256 key, in bytes.
const keySize = sha256.Size

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,verbs=bind,resourceNames=chattenant-tenant
// +kubebuilder:rbac:groups="",resources=resourcequotas;limitranges;serviceaccounts;configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch

// guardrails makes the namespace, lets the operator into it, and closes it before anything can run in it.
func (r *Reconciler) guardrails(ctx context.Context, s *scope) (outcome, error) {
	in := r.input(s)
	if _, err := r.applyAll(ctx, s, desired.Namespace(in)); err != nil {
		return outcome{}, err
	}
	granted, err := r.applyAll(ctx, s, desired.OperatorBinding(in))
	if err != nil {
		return outcome{}, err
	}
	if granted {
		s.requeueAfter = soon
		return outcome{waiting, v1alpha1.ReasonProgressing, "Waiting for the operator's rights in the namespace"}, nil
	}
	_, err = r.applyAll(ctx, s, desired.Guardrails(in)...)
	if apierrors.IsForbidden(err) && s.database == nil {
		s.requeueAfter = soon
		return outcome{waiting, v1alpha1.ReasonProgressing, "Waiting for the operator's rights in the namespace"}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	return outcome{done, v1alpha1.ReasonGuardrailsApplied,
		fmt.Sprintf("Namespace %s has its quota, accounts and network policies", s.namespace())}, nil
}

// encryption creates the key-encryption key, once. The status remembers that it was created, because the operator
// cannot see Secrets: one that exists already is the tenant's own, nobody else can create Secrets of that name here.
// A key that is lost is never replaced: a new one would only hide that the data can no longer be read.
func (r *Reconciler) encryption(ctx context.Context, s *scope) (outcome, error) {
	if s.status.Encryption == nil {
		key := make([]byte, keySize)
		if _, err := io.ReadFull(r.Random, key); err != nil {
			return outcome{}, fmt.Errorf("draw a key: %w", err)
		}
		err := r.Client.Create(ctx, desired.Keys(r.input(s), key))
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return outcome{}, fmt.Errorf("create the key-encryption key: %w", err)
		}
		s.status.Encryption = &v1alpha1.EncryptionStatus{
			Provider: v1alpha1.EncryptionSecret, KeyGeneration: firstKeyGeneration,
		}
	}
	return outcome{done, v1alpha1.ReasonKeyCreated,
		fmt.Sprintf("Key-encryption key of generation %d was created", s.status.Encryption.KeyGeneration)}, nil
}
