// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// podSecurity holds every pod of a tenant to the strictest standard, whoever creates it. The version is the API
// server's own: a tenant must not fall behind what the cluster considers restricted.
var podSecurity = map[string]string{
	"pod-security.kubernetes.io/enforce":         "restricted",
	"pod-security.kubernetes.io/enforce-version": "latest",
	"pod-security.kubernetes.io/audit":           "restricted",
	"pod-security.kubernetes.io/audit-version":   "latest",
	"pod-security.kubernetes.io/warn":            "restricted",
	"pod-security.kubernetes.io/warn-version":    "latest",
}

// Namespace holds everything of one tenant. It must exist before anything else of the tenant does. It has no owner
// reference: garbage collection would delete it, with every volume claim and key in it, the moment the ChatTenant is
// gone or its owner reference does not resolve. Only the operator's finalizer decides what happens to data.
func Namespace(in Input) Object { return namespace(in) }

// RetainedNamespace is what is left of a tenant that was deleted under deletionPolicy Retain: the namespace with its
// record, still guarded by Pod Security.
func RetainedNamespace(in Input) Object {
	return namespace(in).WithLabels(map[string]string{v1alpha1.LabelState: v1alpha1.StateRetained})
}

func namespace(in Input) *corev1ac.NamespaceApplyConfiguration {
	namespace := corev1ac.Namespace(in.namespace()).
		WithLabels(podSecurity).
		WithLabels(map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
			v1alpha1.LabelPartOf:    v1alpha1.PartOf,
			v1alpha1.LabelTenant:    in.Tenant.Name,
			v1alpha1.LabelRegion:    in.Tenant.Spec.Region,
			v1alpha1.LabelClass:     in.Tenant.Spec.ClassName,
		}).
		WithAnnotations(map[string]string{v1alpha1.AnnotationTenantUID: string(in.Tenant.UID)})
	if dedicated(in) {
		// Admission holds every pod to it, whoever makes the pod.
		namespace.WithLabels(map[string]string{v1alpha1.LabelNodes: v1alpha1.NodesDedicated})
	}
	return namespace
}

// OperatorBinding gives the operator its rights inside this one namespace. It goes with the tenant, so that nobody
// holds rights in a namespace that was only retained.
func OperatorBinding(in Input) Object {
	return own(in, componentGuardrails, rbacv1ac.RoleBinding("chattenant-operator", in.namespace())).
		WithRoleRef(rbacv1ac.RoleRef().
			WithAPIGroup("rbac.authorization.k8s.io").
			WithKind("ClusterRole").
			WithName(in.System.TenantClusterRole)).
		WithSubjects(rbacv1ac.Subject().
			WithKind("ServiceAccount").
			WithName(in.System.OperatorServiceAccount).
			WithNamespace(in.System.Namespace))
}
