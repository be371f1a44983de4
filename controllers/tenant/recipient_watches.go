// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// indexRecipient finds the tenants that use a SubProcessor, indexParent the SubProcessors that one engages.
const (
	indexRecipient = "spec.subProcessors.use.name"
	indexParent    = "spec.parent"
)

func recipientsOf(o client.Object) []string {
	if t, ok := o.(*v1alpha1.ChatTenant); ok {
		return usedRecipients(t)
	}
	return nil
}

// parentOf leaves out those that nobody else engages.
func parentOf(o client.Object) []string {
	if p, ok := o.(*v1alpha1.SubProcessor); ok && p.Spec.Parent != "" {
		return []string{p.Spec.Parent}
	}
	return nil
}

// tenantsOfRecipient are those that use a SubProcessor, one that engages it, or one that it engages. A record that is
// gone is asked for as it was.
func (r *Reconciler) tenantsOfRecipient(ctx context.Context, o client.Object) []reconcile.Request {
	changed, ok := o.(*v1alpha1.SubProcessor)
	if !ok {
		return nil
	}
	family := map[string]*v1alpha1.SubProcessor{}
	err := r.recordsAbove(ctx, changed.Spec.Parent, family)
	if err == nil {
		err = r.recordsBelow(ctx, changed.Name, family, map[string]bool{})
	}
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Follow a chain of sub-processors for a watch", "subProcessor", changed.Name)
	}
	family[changed.Name] = changed
	var requests []reconcile.Request
	for name := range family {
		for _, found := range r.listTenants(ctx, indexRecipient, name) {
			if !slices.Contains(requests, found) {
				requests = append(requests, found)
			}
		}
	}
	return requests
}
