// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// hash is what pods are restarted by, and differs with the tenant's name.
var hash = regexp.MustCompile(`[0-9a-f]{64}|[0-9a-f]{16,}`)

// contents are the specs and data of one kind in a tenant's namespace, without addresses.
func contents(t *testing.T, tenant string, list client.ObjectList) string {
	t.Helper()
	if err := admin.List(t.Context(), list, client.InNamespace(naming.Namespace(tenant))); err != nil {
		t.Fatal(err)
	}
	text, addresses := "", map[string]string{}
	err := meta.EachListItem(list, func(item runtime.Object) error {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(item)
		if err != nil {
			return err
		}
		if service, ok := item.(*corev1.Service); ok {
			addresses[service.Spec.ClusterIP] = "address-of-" + service.Name
		}
		if o, ok := item.(client.Object); ok {
			text += o.GetName() + ": "
		}
		for _, gone := range []string{"metadata", "status"} {
			delete(fields, gone)
		}
		data, err := json.Marshal(fields)
		text += string(data) + "\n"
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{}
	key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: naming.Postgres}
	if err := admin.Get(t.Context(), key, service); err == nil {
		addresses[service.Spec.ClusterIP] = "address-of-postgres"
	}
	return hash.ReplaceAllString(instant.ReplaceAllString(replaceAll(text, addresses), "an instant"), "a-hash")
}

// reportCertificates reports a tenant's certificates as issued.
func reportCertificates(t *testing.T, tenant string) {
	t.Helper()
	eventually(t, "certificates to be asked for", func() string {
		list := &cmv1.CertificateList{}
		err := admin.List(t.Context(), list, client.InNamespace(naming.Namespace(tenant)))
		if err != nil || len(list.Items) < 4 {
			return fmt.Sprintf("%d certificates, error %v; %s", len(list.Items), err, story(t, tenant))
		}
		for i := range list.Items {
			c := &list.Items[i]
			c.Status.Conditions = []cmv1.CertificateCondition{{
				Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, ObservedGeneration: c.Generation,
				LastTransitionTime: &metav1.Time{Time: c.CreationTimestamp.Time}, Reason: "Ready",
			}}
			if err := admin.Status().Update(t.Context(), c); err != nil {
				return err.Error()
			}
		}
		return ""
	})
}

// TestWhatCannotBeWrittenOverIsNamed: selectors and role references never change.
func TestWhatCannotBeWrittenOverIsNamed(t *testing.T) {
	startOperator(t)
	t.Run("a binding of another role", func(t *testing.T) {
		binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "chattenant-operator"},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}}
		planted(t, "bound", binding)
		wantFalse(t, "bound", v1alpha1.ConditionGuardrailsInPlace, v1alpha1.ReasonObjectRefused, "chattenant-operator")
		if err := admin.Delete(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
		wantGuardrails(t, "bound")
	})
	t.Run("a workload of other pods", func(t *testing.T) {
		other := map[string]string{"app": "another"}
		planted(t, "selected", &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: naming.ChatServer},
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: other},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: other}, Spec: corev1.PodSpec{
					Containers: []corev1.Container{{Name: "mine", Image: "mine"}}}}}})
		reportCertificates(t, "selected")
		eventually(t, "the database to run", func() string { return reportDatabase(t, "selected") })
		wantFalse(t, "selected", v1alpha1.ConditionChatServerReady, v1alpha1.ReasonObjectRefused, naming.ChatServer)
	})
}

// TestOwnersThatOthersSetAreTakenOff: the garbage collector would take our objects with theirs.
func TestOwnersThatOthersSetAreTakenOff(t *testing.T) {
	startOperator(t)
	platform(t)
	create(t, newTenant("owned"))
	create(t, newTenant("owner"))
	report(t, "owned")
	wantCondition(t, "owned", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	namespace := naming.Namespace("owned")
	for _, tc := range []struct {
		name   string
		object client.Object
		ours   int
	}{
		{"namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, 0},
		{"workload", &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: naming.ChatServer}}, 1},
		{"service", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: naming.Postgres}}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(tc.object), tc.object); err != nil {
				t.Fatal(err)
			}
			before, ok := tc.object.DeepCopyObject().(client.Object)
			if !ok {
				t.Fatalf("%T is no object", tc.object)
			}
			given := client.MergeFrom(before)
			tc.object.SetOwnerReferences(append(tc.object.GetOwnerReferences(),
				ownerReference("owner", string(liveTenant(t, "owner").UID)),
				ownerReference("nobody", "11111111-2222-3333-4444-555555555555"),
				metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: "eu-1", UID: "2", BlockOwnerDeletion: new(true)}))
			if err := admin.Patch(t.Context(), tc.object, given); err != nil {
				t.Fatal(err)
			}
			eventually(t, "only our own owner", func() string {
				if err := admin.Get(t.Context(), client.ObjectKeyFromObject(tc.object), tc.object); err != nil {
					return err.Error()
				}
				if n := len(tc.object.GetOwnerReferences()); n != tc.ours {
					return fmt.Sprintf("%d owners", n)
				}
				return ""
			})
		})
	}
}

func ownerReference(name, uid string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ChatTenant", Name: name,
		UID: types.UID(uid)}
}

// TestWhatAnotherTenantOwnsIsNotPruned: neither is what has no owner, whatever it is labelled.
func TestWhatAnotherTenantOwnsIsNotPruned(t *testing.T) {
	startOperator(t)
	platform(t)
	create(t, newTenant("pruning"))
	report(t, "pruning")
	wantCondition(t, "pruning", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	labels := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
	foreign := ownerReference("another", "11111111-2222-3333-4444-555555555555")
	foreign.Controller = new(true)
	weak := ownerReference("pruning", string(liveTenant(t, "pruning").UID))
	kept := []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "of-nobody", Labels: labels}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "of-another", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{foreign}}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "not-controlled", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{weak}}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "not-labelled",
			OwnerReferences: []metav1.OwnerReference{controlling(weak)}}},
	}
	for _, o := range kept {
		o.SetNamespace(naming.Namespace("pruning"))
		create(t, o)
	}
	gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace("pruning"), Name: "leftover",
		Labels: labels, OwnerReferences: []metav1.OwnerReference{controlling(weak)}}}
	create(t, gone)
	eventually(t, "what is ours and unwanted to be pruned", func() string {
		if admin.Get(t.Context(), client.ObjectKeyFromObject(gone), gone) == nil {
			return "it is still there"
		}
		return ""
	})
	for _, o := range kept {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Errorf("%s: %v", o.GetName(), err)
		}
	}
}

func controlling(reference metav1.OwnerReference) metav1.OwnerReference {
	reference.Controller = new(true)
	return reference
}
