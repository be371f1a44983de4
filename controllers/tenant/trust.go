// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

func (r *Reconciler) gatherTrust(ctx context.Context, s *scope) error {
	var err error
	s.trust, err = find[corev1.ConfigMap](ctx, r.Client, s.namespace(), desired.TrustConfigMap)
	return err
}

// beginTrust sees to it that chat servers find a document when they start. What it says is brought up to date at the
// end of each pass.
func (r *Reconciler) beginTrust(ctx context.Context, s *scope) error {
	intent := r.trustDocument(s)
	if s.trust == nil {
		_, err := r.applyAll(ctx, s, intent)
		return err
	}
	s.applied = append(s.applied, intent)
	return nil
}

// publishTrust has the tenant say what its status says, once that is written.
func (r *Reconciler) publishTrust(ctx context.Context, s *scope) error {
	ns := s.facts.Namespace
	if s.trust == nil || s.facts.Class == nil || s.facts.Region == nil || s.paused || s.deleting != nil ||
		ns == nil || !ns.DeletionTimestamp.IsZero() || !policy.Owns(s.tenant, ns) {
		return nil
	}
	_, err := r.Applier.Apply(ctx, r.trustDocument(s))
	return err
}

func (r *Reconciler) trustDocument(s *scope) desired.Object {
	return desired.TrustDocument(r.input(s), s.trustFacts())
}
