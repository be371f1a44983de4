// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// Guardrails bound what can run in the tenant's namespace and whom it can talk to. They come before any pod, and the
// policy that denies everything comes before the ones that allow.
func Guardrails(in Input) []Object {
	objects := []Object{
		resourceQuota(in),
		limitRange(in),
		// Every pod names its own account; the namespace's default is disarmed for pods that name none.
		serviceAccount(in, componentGuardrails, "default"),
		serviceAccount(in, componentChatServer, componentChatServer),
		serviceAccount(in, componentPostgres, componentPostgres),
		serviceAccount(in, componentProbe, componentProbe),
	}
	if in.Egress != nil {
		objects = append(objects, serviceAccount(in, componentEgress, componentEgress))
	}
	return append(objects, NetworkPolicies(in)...)
}

// serviceAccount has no token mounted: tenant pods have no business with the Kubernetes API.
func serviceAccount(in Input, component, name string) *corev1ac.ServiceAccountApplyConfiguration {
	return own(in, component, corev1ac.ServiceAccount(name, in.namespace())).WithAutomountServiceAccountToken(false)
}
