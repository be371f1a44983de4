// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
)

// noQuotaIsChanged asks who may, and tries as whoever may do anything.
func noQuotaIsChanged(t *testing.T, tr *trial) {
	namespace := naming.Namespace(acme)
	bounds := []schema.GroupResource{{Resource: "resourcequotas"}, {Resource: "limitranges"}}
	for _, who := range append(slices.Clone(tr.accounts), tr.admin) {
		tr.noRights(t, who, namespace, bounds, []string{"create", "update", "patch", "delete", "deletecollection"})
	}
	administrator := &identity{Client: live.Client, user: "the cluster's administrator"}
	for _, o := range []client.Object{
		&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tenant"}},
		&corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tenant"}},
	} {
		raise := changing(o, `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}},"spec":null}`)
		tr.refused(t, tr.admin, "raise", raise, byRBAC)
		tr.refused(t, administrator, "raise", raise, byPolicy(policyObjects))
		tr.refused(t, administrator, "remove", removing(o), byPolicy(policyObjects))
		tr.refused(t, administrator, "remove all", removingAll(o, namespace), byPolicy(policyObjects))
	}
}

// wantCounted wants a bound for each of these in acme's quota.
func (tr *trial) wantCounted(t *testing.T, names ...corev1.ResourceName) {
	t.Helper()
	quota := &corev1.ResourceQuota{}
	key := client.ObjectKey{Namespace: naming.Namespace(acme), Name: "tenant"}
	if err := live.Get(t.Context(), key, quota); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		// What the status has is enforced.
		if _, counted := quota.Status.Hard[name]; counted {
			tr.row.opened("")
			continue
		}
		tr.row.otherwise("")
		t.Errorf("the quota does not count %s", name)
	}
}

func resourcesAreBounded(t *testing.T, tr *trial) {
	tr.wantCounted(t, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory,
		corev1.ResourceRequestsStorage, corev1.ResourceRequestsEphemeralStorage, corev1.ResourceLimitsEphemeralStorage)
	for _, of := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		large := placedPod()
		large.Spec.Containers[0].Resources.Limits = corev1.ResourceList{of: resource.MustParse("1Ti")}
		tr.refused(t, tr.controller, "a container with 1 Ti of "+string(of), making(large), byLimits)
	}
	// Each container is small enough, all together are not.
	many := placedPod()
	first := many.Spec.Containers[0]
	first.Resources = corev1.ResourceRequirements{}
	many.Spec.Containers = nil
	for i := range 100 {
		first.Name = fmt.Sprintf("c%d", i)
		many.Spec.Containers = append(many.Spec.Containers, *first.DeepCopy())
	}
	tr.refused(t, tr.controller, "a hundred containers", making(many), byQuota)
	tr.refusedToAll(t, "a hundred containers", making(many), byRBAC, byAnybody)
}

// objectsAreBounded asks for the benchmark's nine kinds. Nobody in the namespace makes a quota or a
// ReplicationController, which are thereby bounded too.
func objectsAreBounded(t *testing.T, tr *trial) {
	namespace := naming.Namespace(acme)
	tr.wantCounted(t, corev1.ResourcePods, corev1.ResourceServices, corev1.ResourceServicesNodePorts,
		corev1.ResourceServicesLoadBalancers, corev1.ResourcePersistentVolumeClaims, corev1.ResourceConfigMaps,
		corev1.ResourceSecrets, corev1.ResourceReplicationControllers)
	quotas := &corev1.ResourceQuota{ObjectMeta: object(namespace, "more")}
	for _, who := range append(slices.Clone(tr.accounts), tr.admin) {
		tr.refused(t, who, "another quota", making(quotas), byRBAC)
	}
	more := &corev1.Service{ObjectMeta: object(namespace, "more")}
	more.Spec.Ports = []corev1.ServicePort{{Port: 1}}
	tr.refused(t, tr.operator, "one Service more", making(more), byQuota)
	tr.refused(t, tr.claimer, "one claim more", making(newClaim(namespace)), byQuota)
}

func noNodePorts(t *testing.T, tr *trial) {
	for _, kind := range []corev1.ServiceType{corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer} {
		way := &corev1.Service{ObjectMeta: object(naming.Namespace(acme), "in")}
		way.Spec = corev1.ServiceSpec{Type: kind, Ports: []corev1.ServicePort{{Port: 443}}}
		tr.refusedToAll(t, string(kind), making(way), byQuota, byPolicy(policyObjects))
		own := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: way.Namespace, Name: naming.ChatServer}}
		turn := changing(own, `{"spec":{"type":"`+string(kind)+`"}}`)
		tr.refusedToAll(t, "turn the chat server's into "+string(kind), turn, byQuota, byPolicy(policyObjects))
	}
}

// newClaim is one that the region's policy has nothing against.
func newClaim(namespace string) *corev1.PersistentVolumeClaim {
	class := "local-eu-central"
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: object(namespace, "claim"),
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
}
