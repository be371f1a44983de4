// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// chained is a SubProcessor that parent engages.
func chained(name, parent string) *v1alpha1.SubProcessor {
	return &v1alpha1.SubProcessor{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.SubProcessorSpec{Parent: parent},
	}
}

func userOf(tenant string, recipients ...string) *v1alpha1.ChatTenant {
	t := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: tenant}}
	t.Spec.SubProcessors = &v1alpha1.SubProcessorPolicy{}
	for _, name := range recipients {
		t.Spec.SubProcessors.Use = append(t.Spec.SubProcessors.Use, v1alpha1.SubProcessorUse{Name: name})
	}
	return t
}

// TestARecordIsThePassOfThoseAloneWhoseChainItStandsIn: firm engages store, store engages vault and tape.
func TestARecordIsThePassOfThoseAloneWhoseChainItStandsIn(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		chained("firm", ""), chained("store", "firm"), chained("vault", "store"), chained("tape", "store"),
		chained("mail", ""), chained("round", "about"), chained("about", "round"),
		userOf("of-firm", "firm"), userOf("of-store", "store"), userOf("of-vault", "vault", "mail"),
		userOf("of-mail", "mail"), userOf("of-round", "round"), userOf("of-nobody"), userOf("of-gone", "gone"),
		&v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: "silent"}},
	).WithIndex(&v1alpha1.ChatTenant{}, indexRecipient, recipientsOf).
		WithIndex(&v1alpha1.SubProcessor{}, indexParent, parentOf).Build()
	r := &Reconciler{Client: reader}
	for changed, want := range map[client.Object][]string{
		chained("mail", ""):       {"of-mail", "of-vault"},
		chained("firm", ""):       {"of-firm", "of-store", "of-vault"},
		chained("store", "firm"):  {"of-firm", "of-store", "of-vault"},
		chained("tape", "store"):  {"of-firm", "of-store"},
		chained("round", "about"): {"of-round"},
		chained("gone", "firm"):   {"of-firm", "of-gone"},
		chained("alone", ""):      nil,
	} {
		var got []string
		for _, request := range r.tenantsOfRecipient(t.Context(), changed) {
			got = append(got, request.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", changed.GetName(), diff)
		}
	}
}
