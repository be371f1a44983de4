// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestHandEditsAreRepaired(t *testing.T) {
	platform(t)
	startOperator(t)
	create(t, newTenant("edited"))
	report(t, "edited")
	wantCondition(t, "edited", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	namespace := naming.Namespace("edited")

	t.Run("a container that was added is removed", func(t *testing.T) { addedContainerGoes(t, namespace) })
	t.Run("a policy that was opened is closed", func(t *testing.T) { openedPoliciesClose(t, namespace) })
	t.Run("a subject that was added to the binding is removed", func(t *testing.T) { addedSubjectGoes(t, namespace) })
	t.Run("what was deleted is made again", func(t *testing.T) { deletedServiceComesBack(t, namespace) })
	t.Run("without the database's address nothing is torn down", func(t *testing.T) { chatServerStays(t, namespace) })
}

func addedContainerGoes(t *testing.T, namespace string) {
	t.Helper()
	key, deployment := client.ObjectKey{Namespace: namespace, Name: naming.ChatServer}, &appsv1.Deployment{}
	if err := admin.Get(t.Context(), key, deployment); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(deployment.DeepCopy())
	pod := &deployment.Spec.Template.Spec
	pod.Containers = append(pod.Containers, corev1.Container{Name: "spy", Image: "spy:1"})
	if err := admin.Patch(t.Context(), deployment, before); err != nil {
		t.Fatal(err)
	}
	isSpy := func(c corev1.Container) bool { return c.Name == "spy" }
	eventually(t, "the spy to go", func() string {
		if err := admin.Get(t.Context(), key, deployment); err != nil {
			return err.Error()
		}
		if slices.ContainsFunc(deployment.Spec.Template.Spec.Containers, isSpy) {
			return "still there"
		}
		return ""
	})
}

func addedSubjectGoes(t *testing.T, namespace string) {
	t.Helper()
	key, binding := client.ObjectKey{Namespace: namespace, Name: "chattenant-operator"}, &rbacv1.RoleBinding{}
	if err := admin.Get(t.Context(), key, binding); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(binding.DeepCopy())
	binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "mallory"})
	if err := admin.Patch(t.Context(), binding, before); err != nil {
		t.Fatal(err)
	}
	eventually(t, "mallory to go", func() string {
		if err := admin.Get(t.Context(), key, binding); err != nil {
			return err.Error()
		}
		if len(binding.Subjects) != 1 {
			return fmt.Sprintf("subjects are %v", binding.Subjects)
		}
		return ""
	})
}

func openedPoliciesClose(t *testing.T, namespace string) {
	t.Helper()
	policies := &networkingv1.NetworkPolicyList{}
	if err := admin.List(t.Context(), policies, client.InNamespace(namespace)); err != nil || len(policies.Items) < 3 {
		t.Fatalf("%d policies, error %v", len(policies.Items), err)
	}
	for i := range policies.Items {
		original := policies.Items[i].DeepCopy()
		policies.Items[i].Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
		if err := admin.Patch(t.Context(), &policies.Items[i], client.MergeFrom(original)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "policy "+original.Name+" to close", func() string {
			live := &networkingv1.NetworkPolicy{}
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(original), live); err != nil {
				return err.Error()
			}
			if slices.ContainsFunc(live.Spec.Egress, opensEverything) {
				return fmt.Sprintf("egress is %v", live.Spec.Egress)
			}
			return ""
		})
	}
}

func opensEverything(rule networkingv1.NetworkPolicyEgressRule) bool { return len(rule.To) == 0 }

func deletedServiceComesBack(t *testing.T, namespace string) {
	t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: naming.ChatServer}}
	if err := admin.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Service to come back", func() string {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(service), &corev1.Service{}); err != nil {
			return err.Error()
		}
		return ""
	})
}

// chatServerStays takes the database's Service away from the operator, again and again: while its address is unknown
// nobody can say what the chat server's pods should look like, which is no reason to remove them.
func chatServerStays(t *testing.T, namespace string) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: namespace, Name: naming.ChatServer}
	if err := admin.Get(t.Context(), key, deployment); err != nil {
		t.Fatal(err)
	}
	before := deployment.UID
	for range 5 {
		disownDatabaseService(t, namespace)
		if err := admin.Get(t.Context(), key, deployment); err != nil || deployment.UID != before {
			t.Fatalf("the chat server was torn down: %v", err)
		}
	}
}

// disownDatabaseService removes the label by which the operator knows its objects, and waits until it is there again.
func disownDatabaseService(t *testing.T, namespace string) {
	t.Helper()
	service, key := &corev1.Service{}, client.ObjectKey{Namespace: namespace, Name: naming.Postgres}
	if err := admin.Get(t.Context(), key, service); err != nil {
		t.Fatal(err)
	}
	disowned := service.DeepCopy()
	delete(disowned.Labels, v1alpha1.LabelManagedBy)
	if err := admin.Patch(t.Context(), disowned, client.MergeFrom(service)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Service to be the operator's again", func() string {
		if err := admin.Get(t.Context(), key, service); err != nil {
			return err.Error()
		}
		if service.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
			return "still disowned"
		}
		return ""
	})
}
