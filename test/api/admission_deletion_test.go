// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestDeletingATenantTakesItsName(t *testing.T) {
	inTenantNamespace(t)
	tenant := ensure(t, adminClient(t), manifest(t, "chattenant"))
	for _, user := range everybody {
		c := as(t, user)
		const line = "kubectl annotate chattenants.chattenant.io valid chattenant.io/confirm-deletion=valid"
		wantRefusal(t, deletion(tenant)(t.Context(), c), line)
		wantRefusal(t, c.DeleteAllOf(t.Context(), tenant.DeepCopy(), client.DryRunAll), line)
	}
	annotate(t, tenant, `"true"`)
	wantRefusal(t, deletion(tenant)(t.Context(), as(t, person)), "confirm-deletion=valid")
	annotate(t, tenant, `"valid"`)
	if err := deletion(tenant)(t.Context(), as(t, person)); err != nil {
		t.Error(err)
	}
	if err := as(t, person).DeleteAllOf(t.Context(), tenant.DeepCopy(), client.DryRunAll); err != nil {
		t.Error(err)
	}
}

func TestDeletingARegionTakesItsName(t *testing.T) {
	inTenantNamespace(t)
	region := ensure(t, adminClient(t), manifest(t, "dataregion"))
	wantRefusal(t, deletion(region)(t.Context(), as(t, person)),
		"kubectl annotate dataregions.chattenant.io valid chattenant.io/confirm-deletion=valid")
	annotate(t, region, `"valid"`)
	if err := deletion(region)(t.Context(), as(t, person)); err != nil {
		t.Error(err)
	}
}

func TestClassesAndSubProcessorsAreDeletedFreely(t *testing.T) {
	inTenantNamespace(t)
	for _, kind := range []string{"chattenantclass", "subprocessor"} {
		if err := deletion(ensure(t, adminClient(t), manifest(t, kind)))(t.Context(), as(t, person)); err != nil {
			t.Error(err)
		}
	}
}

func annotate(t *testing.T, o client.Object, value string) {
	t.Helper()
	patch := client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"annotations":{"chattenant.io/confirm-deletion":`+value+`}}}`))
	if err := adminClient(t).Patch(t.Context(), o, patch); err != nil {
		t.Fatal(err)
	}
}

const versionIsKept = "a served version of a chattenant.io resource cannot be taken away"

func TestDefinitionsDoNotGoBackwards(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, person)
	crd := manifest(t, "definition")
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		t.Fatal(err)
	}
	beta := map[string]any{"name": "v1beta1", "served": true, "storage": false, "schema": map[string]any{
		"openAPIV3Schema": map[string]any{"type": "object"},
	}}
	ensure(t, c, crd.DeepCopy())
	for _, row := range []struct {
		name    string
		change  change
		message string
	}{
		{"a version less", set("spec.versions", versions[1:]), versionIsKept},
		{"a version not served", set("spec.versions[].served", false), versionIsKept},
		{"a version more", set("spec.versions", append([]any{beta}, versions...)), ""},
		{"an older release", releaseIs("0.0.9"), "came with ChatTenant 0.1.0: install that release or a later one"},
		{"a release before the release", releaseIs("0.1.0-rc.1"), "install that release or a later one"},
		{"no release", releaseIs(""), "install that release or a later one"},
		{"a release that is none", releaseIs("newest"), "install that release or a later one"},
		{"the same release", releaseIs("0.1.0"), ""},
		{"a later release", releaseIs("0.10.0"), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := c.Patch(t.Context(), changed(t, crd, row.change), whole{}, client.DryRunAll)
			if row.message != "" {
				wantRefusal(t, err, row.message)
			} else if err != nil {
				t.Errorf("want no refusal, got: %v", err)
			}
		})
	}
}

// whole is a patch that says everything, whatever version is stored.
type whole struct{}

func (whole) Type() types.PatchType { return types.MergePatchType }

func (whole) Data(o client.Object) ([]byte, error) { return json.Marshal(o) }

func TestDefinitionsOfOthersGoWhereTheyWant(t *testing.T) {
	inTenantNamespace(t)
	crd := newObject("apiextensions.k8s.io/v1", "CustomResourceDefinition", "certificates.cert-manager.io")
	crd.SetNamespace("")
	c := as(t, person)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(crd), crd); err != nil {
		t.Fatal(err)
	}
	// The API server itself writes the status meanwhile, so that no version is insisted on.
	unserved := changed(t, crd, set("spec.versions[].served", false))
	if err := c.Patch(t.Context(), unserved, client.MergeFrom(crd), client.DryRunAll); err != nil {
		t.Error(err)
	}
}

func TestDefinitionsStayWhileATenantExists(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, person)
	removal := func(ctx context.Context, name string) error {
		crd := newObject("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
		crd.SetNamespace("")
		return deletion(crd)(ctx, c)
	}
	names := []string{
		"chattenants.chattenant.io", "chattenantclasses.chattenant.io", "dataregions.chattenant.io",
		"subprocessors.chattenant.io",
	}
	for _, name := range names {
		// Admission may not have heard yet that an earlier test's tenant is gone.
		err := eventuallyAdmitted(t.Context(), c, func(ctx context.Context, _ client.Client) error {
			return removal(ctx, name)
		})
		if err != nil {
			t.Errorf("without a tenant: %v", err)
		}
	}
	ensure(t, adminClient(t), manifest(t, "chattenant"))
	for _, name := range names {
		eventually(t, func() error { return removal(t.Context(), name) }, "ChatTenant valid exists")
	}
	if err := removal(t.Context(), "certificates.cert-manager.io"); err != nil {
		t.Errorf("another group's: %v", err)
	}
}
