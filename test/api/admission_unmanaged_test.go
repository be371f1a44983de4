// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What is here shows what the policies leave alone: a policy that refuses too much fails it.

// TestWhatIsNotTheOperatorsIsItsOwners, in a tenant's namespace as elsewhere.
func TestWhatIsNotTheOperatorsIsItsOwners(t *testing.T) {
	inTenantNamespace(t)
	own, elsewhere := budget("chat-acme"), budget("elsewhere")
	elsewhere.SetLabels(map[string]string{managedBy: "chattenant"})
	config := newObject("v1", "ConfigMap", "own")
	for _, o := range []*unstructured.Unstructured{own, elsewhere, config} {
		ensure(t, adminClient(t), o)
	}
	status := `{"metadata":{"labels":{"extra":"label"}},"status":{"observedGeneration":1}}`
	withoutOperator := slices.DeleteFunc(slices.Clone(everybody), func(user string) bool { return user == operator })
	testMatrix(t, []permission{
		{"write the status of one's own", patchingSubresource(own, "status", status), everybody, ""},
		{"write a status elsewhere", patchingSubresource(elsewhere, "status", status), everybody, ""},
		{"take any place with what is no pod", patching(config, labelTo(roleLabel, "postgres")), everybody, ""},
		{"label a namespace through its status", patchingSubresource(namespace("chat-acme"), "status", relabel),
			everybody, ""},
		{"label what has no namespace", creation(labelled(clusterRole("own"), managedBy, "chattenant")),
			withoutOperator, inTenants},
		{"make a claim elsewhere", creation(changed(t, newClaim("own"), set("metadata.namespace", "elsewhere"))),
			everybody, ""},
		{"make what looks like a probe elsewhere", creation(changed(t, probePod(t),
			set("metadata.namespace", "elsewhere"))), everybody, ""},
	})
}

func budget(namespace string) *unstructured.Unstructured {
	o := newObject("policy/v1", "PodDisruptionBudget", "own")
	o.SetNamespace(namespace)
	o.Object["spec"] = map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}}}
	return o
}

func clusterRole(name string) *unstructured.Unstructured {
	o := newObject("rbac.authorization.k8s.io/v1", "ClusterRole", name)
	o.SetNamespace("")
	return o
}

// TestAPodInAPlaceEndsAsAnyOther: its place cannot change, but it can be restarted.
func TestAPodInAPlaceEndsAsAnyOther(t *testing.T) {
	inTenantNamespace(t)
	pod := changed(t, manifest(t, "pod"), set("metadata.name", "placed"), set("metadata.labels", map[string]any{
		managedBy: "chattenant", "app.kubernetes.io/name": "chatserver", roleLabel: "chatserver"}))
	if err := as(t, replicaSets).Create(t.Context(), pod.DeepCopy()); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	testMatrix(t, []permission{{"restart it", deletion(pod), everybody, ""}})
}

// TestATenantMayBeMadeOnceMore and is told that it exists, not that it has taken its own host.
func TestATenantMayBeMadeOnceMore(t *testing.T) {
	c := as(t, person)
	tenant := ensure(t, adminClient(t), changed(t, manifest(t, "chattenant"), set("metadata.name", "once"),
		set("spec.endpoint.host", "once.example")))
	rival := changed(t, manifest(t, "chattenant"), set("metadata.name", "rival"), set("spec.endpoint.host",
		"once.example"))
	eventually(t, func() error { return creation(rival)(t.Context(), c) }, "belongs to ChatTenant once")
	again := changed(t, manifest(t, "chattenant"), set("metadata.name", "once"), set("spec.endpoint.host",
		"once.example"))
	if err := creation(again)(t.Context(), c); !apierrors.IsAlreadyExists(err) {
		t.Errorf("%s once more: %v", tenant.GetName(), err)
	}
}

// TestARegionThatNodesCanClaimIsWarnedOfWheneverItIsApplied: who applies it next is perhaps somebody else.
func TestARegionThatNodesCanClaimIsWarnedOfWheneverItIsApplied(t *testing.T) {
	region := ensure(t, adminClient(t), changed(t, manifest(t, "dataregion"), set("metadata.name", "claimed-before"),
		set("spec.nodeSelector", map[string]string{"topology.kubernetes.io/region": "x"})))
	c, heard := listening(t, person)
	if err := patching(region, annotationTo("a", "b"))(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if len(heard()) != 1 {
		t.Errorf("heard %q", heard())
	}
}
