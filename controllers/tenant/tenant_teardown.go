// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// teardown takes a tenant down in an order that never leaves a pod without its network policies: workloads first, and
// only when their pods are gone the rest. What is left then is decided by the deletionPolicy.
func (r *Reconciler) teardown(ctx context.Context, s *scope) error {
	s.removing("Taking the tenant down") // also while a request fails
	if ns := s.facts.Namespace; ns == nil || !policy.Owns(s.tenant, ns) {
		if err := r.unseenNamespace(ctx, s); err != nil {
			return err
		}
		return r.finish(ctx, s)
	}
	if waits, err := r.keepRights(ctx, s); err != nil || waits {
		return err
	}
	if err := r.stopWorkloads(ctx, s); err != nil {
		return err
	}
	if len(s.pods) > 0 {
		s.removing(fmt.Sprintf("Waiting for %d pods to end", len(s.pods)))
		return nil
	}
	if s.tenant.Spec.DeletionPolicy == v1alpha1.DeletionDelete {
		return r.deleteNamespace(ctx, s)
	}
	return r.retainNamespace(ctx, s)
}

// keepRights sees to it that the operator may remove what is in the namespace: a tenant that is deleted while it is
// made may have a namespace and no binding yet. It answers whether rights are being granted.
func (r *Reconciler) keepRights(ctx context.Context, s *scope) (bool, error) {
	if !rightsNeeded(s.facts.Namespace) {
		return false, nil
	}
	binding := desired.OperatorBinding(r.input(s))
	if err := r.rightsGivenUp(ctx, s, *binding.GetName()); err != nil {
		return false, err
	}
	granted, err := r.Applier.Apply(ctx, binding)
	if granted {
		s.requeue(soon)
	}
	return granted, err
}

// rightsNeeded says whether there is something left in a namespace for the operator to remove.
func rightsNeeded(ns *corev1.Namespace) bool {
	return ns != nil && ns.DeletionTimestamp.IsZero() && ns.Labels[v1alpha1.LabelState] != v1alpha1.StateRetained
}

// rightsGivenUp is a conflict when the binding is missing because it is needed no more. Each kind is watched by itself,
// so the cache may hear of the binding's end before it hears what became of the namespace.
func (r *Reconciler) rightsGivenUp(ctx context.Context, s *scope, binding string) error {
	held, err := find[rbacv1.RoleBinding](ctx, r.Client, s.namespace(), binding)
	if err != nil || held != nil {
		return err
	}
	live, err := find[corev1.Namespace](ctx, r.Live, "", s.namespace())
	if err != nil || rightsNeeded(live) {
		return err
	}
	return conflict("namespaces", s.namespace(), "the cache does not know yet what became of it")
}

func (s *scope) removing(message string) {
	s.deleting = &outcome{waiting, v1alpha1.ReasonRemoving, message}
}

func (r *Reconciler) stopWorkloads(ctx context.Context, s *scope) error {
	if err := r.deleteProbes(ctx, s.jobs); err != nil {
		return err
	}
	if s.chatServer != nil {
		if err := r.Applier.Delete(ctx, s.chatServer); err != nil {
			return err
		}
	}
	if s.egress != nil {
		if err := r.Applier.Delete(ctx, s.egress); err != nil {
			return err
		}
	}
	if s.database != nil {
		return r.Applier.Delete(ctx, s.database)
	}
	return nil
}

// deleteNamespace removes the namespace with everything in it and waits until it is gone.
func (r *Reconciler) deleteNamespace(ctx context.Context, s *scope) error {
	s.removing(fmt.Sprintf("Waiting for namespace %s and all data in it to be removed", s.namespace()))
	return r.Applier.Delete(ctx, s.facts.Namespace)
}

// retainNamespace keeps volumes, key and record, and removes everything else. That the namespace is retained is written
// when only the operator's own rights in it are left, which it gives up last: should a later write fail, nothing is
// tried again that needs them.
func (r *Reconciler) retainNamespace(ctx context.Context, s *scope) error {
	if s.facts.Namespace.Labels[v1alpha1.LabelState] != v1alpha1.StateRetained {
		if emptied, err := r.emptyNamespace(ctx, s); err != nil || !emptied {
			return err
		}
		if _, err := r.Applier.Apply(ctx, desired.RetainedNamespace(r.input(s))); err != nil {
			return err
		}
	}
	if _, err := r.Applier.Prune(ctx, s.namespace(), s.tenant.UID, nil); err != nil {
		return err
	}
	return r.finish(ctx, s)
}

// emptyNamespace removes everything but data and the operator's rights, and says whether that is done: certificates'
// keys too, which a tenant that takes the data up gets anew.
func (r *Reconciler) emptyNamespace(ctx context.Context, s *scope) (bool, error) {
	binding := desired.OperatorBinding(r.input(s))
	rest, err := r.Applier.Prune(ctx, s.namespace(), s.tenant.UID, apply.KeepIntents([]desired.Object{binding}))
	if err != nil {
		return false, err
	}
	if err := r.deleteTLSSecrets(ctx, s.namespace()); err != nil {
		return false, err
	}
	if rest > 0 {
		s.removing(fmt.Sprintf("Removing everything from namespace %s but volumes, key and record", s.namespace()))
	}
	return rest == 0, nil
}

func (r *Reconciler) deleteTLSSecrets(ctx context.Context, namespace string) error {
	for _, name := range desired.TLSSecretNames() {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		if err := r.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete secret %s/%s: %w", namespace, name, err)
		}
	}
	return nil
}

// finish lets the ChatTenant go.
func (r *Reconciler) finish(ctx context.Context, s *scope) error {
	s.gone = true
	return r.removeFinalizer(ctx, s.tenant)
}
