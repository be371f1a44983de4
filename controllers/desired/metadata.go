// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Components, the values of v1alpha1.LabelName.
const (
	componentChatServer   = naming.ChatServer
	componentPostgres     = naming.Postgres
	componentEgress       = naming.Egress
	componentProbe        = naming.IsolationProbe
	componentGuardrails   = "guardrails"
	componentKeys         = "keys"
	componentCertificates = "certificates"
)

func labels(in Input, component string) map[string]string {
	return map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
		v1alpha1.LabelPartOf:    v1alpha1.PartOf,
		v1alpha1.LabelName:      component,
		v1alpha1.LabelTenant:    in.Tenant.Name,
	}
}

// podSelector selects the pods of one component. Workload selectors are immutable, so it holds no more than it must.
func podSelector(in Input, component string) map[string]string {
	return map[string]string{
		v1alpha1.LabelName:   component,
		v1alpha1.LabelTenant: in.Tenant.Name,
	}
}

func selector(in Input, component string) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(podSelector(in, component))
}

// owner points at the tenant. Kind and version are constants because objects read from a cache carry neither.
func owner(in Input) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind("ChatTenant").
		WithName(in.Tenant.Name).
		WithUID(in.Tenant.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}

// roleLabels are those of a pod of a component that is held by the network policy of a role.
func roleLabels(in Input, component string, role isolation.End) map[string]string {
	all := labels(in, component)
	all[v1alpha1.LabelNetworkRole] = string(role)
	return all
}

func roleSelector(in Input, role isolation.End) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(map[string]string{
		v1alpha1.LabelNetworkRole: string(role),
		v1alpha1.LabelTenant:      in.Tenant.Name,
	})
}

type ownable[T any] interface {
	WithLabels(map[string]string) T
	WithOwnerReferences(...*metav1ac.OwnerReferenceApplyConfiguration) T
}

// own puts the labels and the owner reference on an object that garbage collection may remove with the tenant.
func own[T ownable[T]](in Input, component string, object T) T {
	return object.WithLabels(labels(in, component)).WithOwnerReferences(owner(in))
}
