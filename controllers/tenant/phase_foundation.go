// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,verbs=bind,resourceNames=chattenant-tenant
// +kubebuilder:rbac:groups="",resources=resourcequotas;limitranges;serviceaccounts;configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch

// guardrails makes the namespace, lets the operator into it, and closes it before anything can run in it.
func (r *Reconciler) guardrails(ctx context.Context, s *scope) (outcome, error) {
	in := r.input(s)
	if err := r.bringNamespace(ctx, s, in); err != nil {
		return outcome{}, err
	}
	granted, err := r.applyAll(ctx, s, desired.OperatorBinding(in))
	if err != nil {
		return outcome{}, err
	}
	if granted {
		s.requeue(soon)
		return outcome{waiting, v1alpha1.ReasonProgressing, "Waiting for the operator's rights in the namespace"}, nil
	}
	_, err = r.applyAll(ctx, s, desired.Guardrails(in)...)
	if apierrors.IsForbidden(err) && s.database == nil {
		s.requeue(soon)
		return outcome{waiting, v1alpha1.ReasonProgressing, "Waiting for the operator's rights in the namespace"}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	return outcome{done, v1alpha1.ReasonGuardrailsApplied,
		fmt.Sprintf("Namespace %s has its quota, accounts and network policies", s.namespace())}, nil
}
