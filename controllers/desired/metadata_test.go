// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestEveryNamespacedObjectIsLabelled(t *testing.T) {
	forEachObject(t, func(t *testing.T, in Input, object *unstructured.Unstructured) {
		got := object.GetLabels()
		if object.GetKind() != "Namespace" && got[v1alpha1.LabelName] == "" {
			t.Error("no component in its labels")
		}
		for label, want := range map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
			v1alpha1.LabelPartOf:    v1alpha1.PartOf,
			v1alpha1.LabelTenant:    in.Tenant.Name,
		} {
			if got[label] != want {
				t.Errorf("label %s = %q, want %q", label, got[label], want)
			}
		}
		for label, value := range got {
			if problems := append(validation.IsQualifiedName(label), validation.IsValidLabelValue(value)...); problems != nil {
				t.Errorf("label %s=%s: %v", label, value, problems)
			}
		}
	})
}

func TestEveryObjectBelongsToTheTenantExceptWhatHoldsData(t *testing.T) {
	forEachObject(t, func(t *testing.T, in Input, object *unstructured.Unstructured) {
		var want []metav1.OwnerReference
		if kind := object.GetKind(); kind != "Namespace" && kind != "Secret" {
			want = []metav1.OwnerReference{{
				APIVersion: "chattenant.io/v1alpha1", Kind: "ChatTenant", Name: in.Tenant.Name, UID: in.Tenant.UID,
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
			}}
		}
		if diff := cmp.Diff(want, object.GetOwnerReferences()); diff != "" {
			t.Errorf("owner references (-want +got):\n%s", diff)
		}
	})
}

func TestEveryObjectIsInTheTenantsNamespaceUnderAValidName(t *testing.T) {
	forEachObject(t, func(t *testing.T, in Input, object *unstructured.Unstructured) {
		want := naming.Namespace(in.Tenant.Name)
		if object.GetKind() == "Namespace" {
			want = ""
		}
		if object.GetNamespace() != want {
			t.Errorf("namespace = %q, want %q", object.GetNamespace(), want)
		}
		// The label is the strictest form a name can need; it also bounds the length to 63.
		if problems := validation.IsDNS1123Label(object.GetName()); problems != nil {
			t.Errorf("name: %v", problems)
		}
	})
}

func TestNoTwoObjectsOfAScenarioAreTheSame(t *testing.T) {
	for _, s := range everyScenario() {
		seen := map[string]bool{}
		for _, object := range s.objects(t) {
			key := object.GroupVersionKind().GroupKind().String() + "/" + object.GetName()
			if seen[key] {
				t.Errorf("%s: %s appears twice", s.name, key)
			}
			seen[key] = true
		}
	}
}

func TestNamespaceIsRestrictedAndRecordsItsTenant(t *testing.T) {
	in := minimalInput()
	for _, object := range []Object{Namespace(in), RetainedNamespace(in)} {
		namespace := decode[metav1.PartialObjectMetadata](t, object)
		for _, mode := range []string{"enforce", "audit", "warn"} {
			prefix := "pod-security.kubernetes.io/" + mode
			if namespace.Labels[prefix] != "restricted" || namespace.Labels[prefix+"-version"] != "latest" {
				t.Errorf("%s: want restricted at latest, got %v", mode, namespace.Labels)
			}
		}
		if got := namespace.Annotations[v1alpha1.AnnotationTenantUID]; got != string(in.Tenant.UID) {
			t.Errorf("recorded UID = %q", got)
		}
		if got := namespace.Labels[v1alpha1.LabelRegion]; got != in.Region.Name {
			t.Errorf("region label = %q", got)
		}
	}
}

func TestOnlyARetainedNamespaceSaysThatItIsOne(t *testing.T) {
	state := func(object Object) string {
		return decode[metav1.PartialObjectMetadata](t, object).Labels[v1alpha1.LabelState]
	}
	if got := state(Namespace(minimalInput())); got != "" {
		t.Errorf("state of a tenant's namespace = %q", got)
	}
	if got := state(RetainedNamespace(minimalInput())); got != v1alpha1.StateRetained {
		t.Errorf("state of a retained namespace = %q", got)
	}
}
