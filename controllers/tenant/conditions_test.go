// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func wantGuardrails(t *testing.T, tenant string) {
	t.Helper()
	wantCondition(t, tenant, v1alpha1.ConditionGuardrailsInPlace, v1alpha1.ReasonGuardrailsApplied)
}

func wantStalled(t *testing.T, tenant, reason string) *metav1.Condition {
	t.Helper()
	return wantCondition(t, tenant, v1alpha1.ConditionStalled, reason)
}

func TestWhatIsMissingStallsUntilItExists(t *testing.T) {
	platform(t)
	startOperator(t)

	t.Run("a class", func(t *testing.T) {
		tenant := newTenant("classless")
		tenant.Spec.ClassName = "later"
		create(t, tenant)
		wantStalled(t, "classless", v1alpha1.ReasonClassNotFound)
		mustNotExist(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace("classless")}})
		create(t, class("later", "public"))
		wantGuardrails(t, "classless")
	})
	t.Run("a region", func(t *testing.T) {
		tenant := newTenant("placeless")
		tenant.Spec.Region = "moon"
		create(t, tenant)
		wantStalled(t, "placeless", v1alpha1.ReasonRegionNotFound)
		create(t, dataRegion("moon", "DE"))
		wantGuardrails(t, "placeless")
	})
	t.Run("an issuer", func(t *testing.T) {
		create(t, class("unsigned", "nobody"))
		tenant := newTenant("uncertified")
		tenant.Spec.ClassName = "unsigned"
		create(t, tenant)
		c := wantStalled(t, "uncertified", v1alpha1.ReasonCertificatesFailed)
		if !strings.Contains(c.Message, `no ClusterIssuer "nobody"`) {
			t.Errorf("the message is %q", c.Message)
		}
	})
}

func TestTheOlderTenantKeepsAHostUntilItLetsGo(t *testing.T) {
	platform(t)
	startOperator(t)
	older, younger := newTenant("older"), newTenant("younger")
	younger.Spec.Endpoint.Host = older.Spec.Endpoint.Host
	create(t, older)
	wantGuardrails(t, "older")
	// Creation times have whole seconds; of two tenants of one second the smaller UID would win.
	eventually(t, "a later second", func() string {
		if !metav1.Now().After(older.CreationTimestamp.Add(1e9)) {
			return "not yet"
		}
		return ""
	})
	create(t, younger)
	wantStalled(t, "younger", v1alpha1.ReasonHostTaken)

	eventually(t, "the older tenant to change its host", func() string {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(older), older); err != nil {
			return err.Error()
		}
		older.Spec.Endpoint.Host = "moved.example.test"
		if err := admin.Update(t.Context(), older); err != nil {
			return err.Error()
		}
		return ""
	})
	wantGuardrails(t, "younger")
}

func TestAForeignNamespaceIsLeftUntouched(t *testing.T) {
	platform(t)
	startOperator(t)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: naming.Namespace("squatted"), Labels: map[string]string{"owner": "someone"},
	}}
	create(t, foreign)
	create(t, newTenant("squatted"))
	wantStalled(t, "squatted", v1alpha1.ReasonNamespaceNotOurs)
	live := &corev1.Namespace{}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), live); err != nil {
		t.Fatal(err)
	}
	if live.ResourceVersion != foreign.ResourceVersion {
		t.Error("the foreign namespace was changed")
	}
}

func TestAPausedTenantIsLeftAlone(t *testing.T) {
	platform(t)
	startOperator(t)
	tenant := newTenant("paused")
	tenant.Spec.Reconciliation = v1alpha1.ReconciliationPaused
	create(t, tenant)
	wantCondition(t, "paused", v1alpha1.ConditionPaused, v1alpha1.ReasonPausedBySpec)
	mustNotExist(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace("paused")}})
}

func TestRetainedDataIsTakenUpOnlyByItsUID(t *testing.T) {
	platform(t)
	startOperator(t)
	first := newTenant("kept")
	create(t, first)
	report(t, "kept")
	wantCondition(t, "kept", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	namespace := naming.Namespace("kept")
	key := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "key-encryption-key"}}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(key), key); err != nil {
		t.Fatal(err)
	}
	remove(t, first)

	live := &corev1.Namespace{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: namespace}, live); err != nil {
		t.Fatal(err)
	}
	if live.Labels[v1alpha1.LabelState] != v1alpha1.StateRetained || len(live.OwnerReferences) != 0 {
		t.Errorf("the retained namespace has labels %v and owners %v", live.Labels, live.OwnerReferences)
	}
	for _, left := range leftovers(t, namespace) {
		t.Errorf("left behind: %s", left)
	}

	create(t, newTenant("kept"))
	c := wantStalled(t, "kept", v1alpha1.ReasonNamespaceRetained)
	if !strings.Contains(c.Message, "spec.adoptUID: "+string(first.UID)) {
		t.Errorf("the message is %q", c.Message)
	}
	second := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "kept"}, second); err != nil {
		t.Fatal(err)
	}
	remove(t, second)

	adopting := newTenant("kept")
	adopting.Spec.AdoptUID = string(first.UID)
	create(t, adopting)
	report(t, "kept")
	wantCondition(t, "kept", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	after := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(key), after); err != nil {
		t.Fatal(err)
	}
	if after.UID != key.UID {
		t.Error("the key-encryption key was replaced")
	}
}

// remove deletes a tenant and waits until it is gone.
func remove(t *testing.T, tenant *v1alpha1.ChatTenant) {
	t.Helper()
	if err := admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	eventually(t, tenant.Name+" to go", func() string {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(tenant), &v1alpha1.ChatTenant{})
		if !apierrors.IsNotFound(err) {
			return fmt.Sprintf("error %v; %s", err, story(t, tenant.Name))
		}
		return ""
	})
}

// leftovers lists what is in a namespace besides the key.
func leftovers(t *testing.T, namespace string) []string {
	t.Helper()
	var found []string
	for _, kind := range []string{
		"ConfigMap", "Service", "ServiceAccount", "Secret", "ResourceQuota", "LimitRange", "apps/Deployment",
		"apps/StatefulSet",
		"networking.k8s.io/NetworkPolicy", "policy/PodDisruptionBudget", "rbac.authorization.k8s.io/RoleBinding",
		"cert-manager.io/Certificate", "cert-manager.io/Issuer",
	} {
		group, name, _ := strings.Cut(kind, "/")
		if name == "" {
			group, name = "", group
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: name + "List"})
		if err := admin.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			if item.Name != "key-encryption-key" {
				found = append(found, kind+" "+item.Name)
			}
		}
	}
	return found
}

func mustNotExist(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
		t.Errorf("%s exists or cannot be read: %v", o.GetName(), err)
	}
}
