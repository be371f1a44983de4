// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// bringNamespace makes the tenant's namespace, or keeps it as it must be. One that this operator does not know of is
// only ever created: had somebody else made it meanwhile, that would be a conflict and no adoption.
//
// An operator that slept, or whose cache is behind, may believe in a tenant that is gone. A namespace has no owner that
// would take it along, so the API server is asked before one is made and again afterwards.
func (r *Reconciler) bringNamespace(ctx context.Context, s *scope, in desired.Input) error {
	intent := desired.Namespace(in)
	if s.facts.Namespace != nil {
		_, err := r.applyAll(ctx, s, intent)
		return err
	}
	s.applied = append(s.applied, intent)
	if _, err := r.stillWanted(ctx, s.tenant); err != nil {
		return err
	}
	if err := r.Applier.CreateNamespace(ctx, intent); err != nil {
		return err
	}
	gone, err := r.stillWanted(ctx, s.tenant)
	if !gone {
		return err
	}
	unborn, findErr := find[corev1.Namespace](ctx, r.Live, "", s.namespace())
	if findErr != nil || unborn == nil || !policy.Owns(s.tenant, unborn) {
		return errors.Join(err, findErr)
	}
	return errors.Join(err, r.Applier.Delete(ctx, unborn))
}

// stillWanted asks the API server whether the tenant exists and is to stay. That it is not so is a conflict, because
// the cache is behind. It also says whether the tenant is gone for good, finalizer and all.
func (r *Reconciler) stillWanted(ctx context.Context, tenant *v1alpha1.ChatTenant) (gone bool, err error) {
	live, err := find[v1alpha1.ChatTenant](ctx, r.Live, "", tenant.Name)
	switch {
	case err != nil:
		return false, err
	case live == nil || live.UID != tenant.UID:
		return true, conflict("chattenants", tenant.Name, "the ChatTenant is gone")
	case !live.DeletionTimestamp.IsZero():
		return false, conflict("chattenants", tenant.Name, "the ChatTenant is being deleted")
	}
	return false, nil
}

// unseenNamespace says whether the tenant has a namespace that the cache does not know yet: a tenant must not go before
// it.
func (r *Reconciler) unseenNamespace(ctx context.Context, s *scope) error {
	live, err := find[corev1.Namespace](ctx, r.Live, "", s.namespace())
	if err != nil || live == nil || !policy.Owns(s.tenant, live) {
		return err
	}
	return conflict("namespaces", live.Name, "the cache does not know it yet")
}

func conflict(resource, name, why string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: resource}, name, errors.New(why))
}
