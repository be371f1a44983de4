// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TestRightsThatWereGivenUpAreNotTakenAgain: the cache may hear that the operator's binding is gone before it hears
// that the namespace is retained, as each kind is watched by itself.
func TestRightsThatWereGivenUpAreNotTakenAgain(t *testing.T) {
	slow, tenant := behind(t, "given-up")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        naming.Namespace(tenant.Name),
		Labels:      map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelTenant: tenant.Name},
		Annotations: map[string]string{v1alpha1.AnnotationTenantUID: string(tenant.UID)},
	}}
	create(t, ns)
	if err := admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	slow.view.log.mu.Lock()
	slow.view.objects[objectID{"Namespace", "", ns.Name}] = ns.DeepCopy()
	slow.view.objects[objectID{"ChatTenant", "", tenant.Name}] = liveTenant(t, tenant.Name)
	slow.view.log.mu.Unlock()
	retained := client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"`+v1alpha1.LabelState+`":"`+v1alpha1.StateRetained+`"}}}`))
	if err := admin.Patch(t.Context(), ns, retained, client.FieldOwner("chattenant")); err != nil {
		t.Fatal(err)
	}
	result, err := slow.reconciler.Reconcile(t.Context(), request(tenant.Name))
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("want another pass once the cache knows, got %v, %v", result, err)
	}
	bindings := &rbacv1.RoleBindingList{}
	if err := admin.List(t.Context(), bindings, client.InNamespace(ns.Name)); err != nil {
		t.Fatal(err)
	}
	for _, b := range bindings.Items {
		t.Errorf("%s was made in a retained namespace", b.Name)
	}
}
