// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What is here tries, of each policy, the one thing that only one of its clauses holds.

// TestWhatOpensATenantIsTheOperatorsWhateverItIsCalled: other networks have policies of their own.
func TestWhatOpensATenantIsTheOperatorsWhateverItIsCalled(t *testing.T) {
	inTenantNamespace(t)
	template := newObject("v1", "PodTemplate", "own")
	template.Object["template"] = map[string]any{
		"spec": map[string]any{"containers": []any{map[string]any{"name": "c", "image": "c"}}}}
	testMatrix(t, []permission{
		{"create a policy of Cilium's", creation(newObject("cilium.io/v2", "CiliumNetworkPolicy", "own")),
			trusted, onlyOperatorOpens},
		{"create a template of pods", creation(template), trusted, notYours},
	})
}

// TestAClaimIsNotEnlargedByHand, though whoever drives volumes may annotate it: its size is the class's.
func TestAClaimIsNotEnlargedByHand(t *testing.T) {
	inTenantNamespace(t)
	storage := newObject("storage.k8s.io/v1", "StorageClass", "local-eu-central")
	storage.SetNamespace("")
	storage.Object["provisioner"], storage.Object["allowVolumeExpansion"] = "test.example/none", true
	ensure(t, adminClient(t), storage)
	claim := labelled(newClaim("data-bound-0"), managedBy, "chattenant")
	if err := as(t, statefulSets).Create(t.Context(), claim.DeepCopy()); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	bound := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"phase":"Bound"}}`))
	if err := adminClient(t).Status().Patch(t.Context(), claim, bound); err != nil {
		t.Fatal(err)
	}
	testMatrix(t, []permission{{"enlarge it", patching(claim, `{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}`),
		trusted, managed}})
}

// A namespace that has one of the operator's labels, but not both, is not the operator's.
func TestTheOperatorTakesNoNamespaceForItsOwnByHalf(t *testing.T) {
	inTenantNamespace(t)
	own := clusterHas(t, "chat-odd", map[string]string{
		managedBy: "chattenant", "chattenant.io/tenant": "another", "chattenant.io/region": "eu-central",
		"pod-security.kubernetes.io/enforce": "restricted",
	})
	tenants := clusterHas(t, "half-tenant", map[string]string{"chattenant.io/tenant": "half"})
	labels := clusterHas(t, "half-managed", map[string]string{managedBy: "chattenant"})
	for name, row := range map[string]struct {
		try     attempt
		message string
	}{
		"that others manage":       {deletion(tenants), ownOnly},
		"that no tenant has":       {deletion(labels), ownOnly},
		"under another's name":     {patching(own, labelTo("chattenant.io/tenant", "odd")), fixed},
		"through its finalization": {finalizing("elsewhere", func(*unstructured.Unstructured) {}), ownOnly},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, row.try(t.Context(), as(t, operator)), row.message) })
	}
	marked := finalizing("elsewhere", func(o *unstructured.Unstructured) { labelled(o, "chattenant.io/tenant", "acme") })
	wantRefusal(t, marked(t.Context(), as(t, person)), labelsAreKept)
}

// clusterHas is a namespace that the cluster has with these labels.
func clusterHas(t *testing.T, name string, labels map[string]string) *unstructured.Unstructured {
	t.Helper()
	ns := namespace(name)
	ns.SetLabels(labels)
	if err := as(t, manager).Create(t.Context(), ns.DeepCopy()); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return namespace(name)
}

// TestTheOperatorHasNothingToDoWithRoles but to bind one of them, and to end that.
func TestTheOperatorHasNothingToDoWithRoles(t *testing.T) {
	inTenantNamespace(t)
	role := newObject("rbac.authorization.k8s.io/v1", "Role", "own")
	bound, elsewhere := binding("chat-acme", "ClusterRole", "chattenant-tenant", itself()), binding("elsewhere",
		"ClusterRole", "view", itself())
	for _, o := range []*unstructured.Unstructured{bound, elsewhere} {
		ensure(t, adminClient(t), o)
	}
	subject := func(kind, name string) attempt {
		s := map[string]any{"kind": kind, "name": name, "namespace": "chattenant-system"}
		if kind == "User" {
			s["apiGroup"] = "rbac.authorization.k8s.io"
		}
		return creation(binding("chat-acme", "ClusterRole", "chattenant-tenant", s))
	}
	for name, row := range map[string]struct {
		try     attempt
		message string
	}{
		"make a role":               {creation(role), inTenants},
		"make a role everywhere":    {creation(clusterRole("own")), inTenants},
		"end what it bound":         {deletion(bound), ""},
		"mark what it bound":        {patching(bound, labelTo("chattenant.io/tenant", "acme")), ""},
		"end what others bound":     {deletion(elsewhere), inTenants},
		"let another join":          {patching(bound, `{"subjects":[{"kind":"User","name":"mallory"}]}`), toItself},
		"bind a colleague":          {subject("ServiceAccount", "chattenant-gateway"), toItself},
		"bind somebody of its name": {subject("User", "chattenant-operator"), toItself},
	} {
		t.Run(name, func(t *testing.T) { wantVerdict(t, row.try(t.Context(), as(t, operator)), row.message) })
	}
}

// TestALivingTenantsNamespaceIsNotDeletedThoughConfirmed: everybody may annotate it.
func TestALivingTenantsNamespaceIsNotDeletedThoughConfirmed(t *testing.T) {
	inTenantNamespace(t)
	living := clusterHas(t, "chat-living", map[string]string{managedBy: "chattenant", "chattenant.io/tenant": "living",
		"chattenant.io/region": "eu-central", "pod-security.kubernetes.io/enforce": "restricted"})
	patch := client.RawPatch("application/merge-patch+json",
		[]byte(annotationTo("chattenant.io/confirm-deletion", "chat-living")))
	if err := as(t, person).Patch(t.Context(), living, patch); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, deletion(namespace("chat-living"))(t.Context(), as(t, person)), "delete that instead")
}

// TestAStatusIsWrittenByWhoWritesThatKind: the API server counts quotas, cert-manager follows its orders.
func TestAStatusIsWrittenByWhoWritesThatKind(t *testing.T) {
	inTenantNamespace(t)
	order := labelled(newObject("acme.cert-manager.io/v1", "Order", "endpoint-1"), managedBy, "chattenant")
	if err := as(t, certManager).Create(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := as(t, certManager).Delete(context.WithoutCancel(t.Context()), order); err != nil {
			t.Error(err)
		}
	})
	testMatrix(t, []permission{{"an order's", patchingSubresource(order, "status", `{"status":{"state":"valid"}}`),
		trustedButTheOperator(), whatWasFound}})
	wantRefusal(t, writingAStatus(t, under(t, "system:apiserver")), whatWasFound)
}

// trustedButTheOperator also has cert-manager.
func trustedButTheOperator() []string { return append([]string{certManager}, kubernetes...) }

// TestAProbeWithoutAClassRunsNothing: nobody says which image would be the chat server's.
func TestAProbeWithoutAClassRunsNothing(t *testing.T) {
	inTenantNamespace(t)
	withProbedClass(t)
	clusterHas(t, "chat-classless", map[string]string{managedBy: "chattenant", "chattenant.io/tenant": "classless",
		"chattenant.io/region": "eu-central", "pod-security.kubernetes.io/enforce": "restricted"})
	pod := changed(t, probePod(t), set("metadata.namespace", "chat-classless"))
	wantRefusal(t, creation(pod)(t.Context(), as(t, operator)), "the chat server image of the tenant class  and no other")
}

// TestAPodOfNoRegionStaysOnItsOwnNodes: where its region is unknown, the policy of regions has nothing to say.
func TestAPodOfNoRegionStaysOnItsOwnNodes(t *testing.T) {
	inTenantNamespace(t)
	clusterHas(t, "chat-adrift", map[string]string{managedBy: "chattenant", "chattenant.io/tenant": "adrift",
		"chattenant.io/region": "gone", "chattenant.io/nodes": "dedicated",
		"pod-security.kubernetes.io/enforce": "restricted"})
	pod := changed(t, manifest(t, "pod"), set("metadata.namespace", "chat-adrift"), set("spec.affinity", absent),
		set("spec.tolerations", tolerate("adrift")))
	wantRefusal(t, creation(pod)(t.Context(), as(t, replicaSets)), onItsOwnNodes)
	const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	own := changed(t, pod, set(at, terms(demand(dedicatedKey, "In", "adrift"))))
	if err := creation(own)(t.Context(), as(t, replicaSets)); err != nil {
		t.Error(err)
	}
}

// TestAPodIsNotPlacedAnywhereButInItsRegion: the label and its value alone say nothing without the operator between.
func TestAPodIsNotPlacedAnywhereButInItsRegion(t *testing.T) {
	inTenantNamespace(t)
	const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	pod := changed(t, manifest(t, "pod"), set("metadata.name", "chatserver-2"),
		set(at, terms(demand(regionLabel, "NotIn", "eu-central"))))
	wantRefusal(t, creation(pod)(t.Context(), as(t, replicaSets)), inItsRegion)
}

// TestTenantsThatCameToShareAHostGoOnBeingChanged: two that asked at the same moment both have it.
func TestTenantsThatCameToShareAHostGoOnBeingChanged(t *testing.T) {
	c := as(t, person)
	for range 50 {
		pair := []*unstructured.Unstructured{asking(t, "twin-a"), asking(t, "twin-b")}
		answers := make(chan error, len(pair))
		for _, o := range pair {
			go func() { answers <- c.Create(context.WithoutCancel(t.Context()), o) }()
		}
		first, second := <-answers, <-answers
		if first == nil && second == nil {
			for _, o := range pair {
				t.Cleanup(func() { remove(t, o) })
			}
			rival := asking(t, "rival")
			eventually(t, func() error { return creation(rival)(t.Context(), c) }, "belongs to ChatTenant")
			if err := patching(pair[0], `{"spec":{"displayName":"First"}}`)(t.Context(), c); err != nil {
				t.Error(err)
			}
			return
		}
		for i, o := range pair {
			if err := []error{first, second}[i]; err != nil && !apierrors.IsForbidden(err) {
				t.Fatal(err)
			}
			remove(t, o)
		}
	}
	t.Fatal("of fifty pairs none asked at the same moment")
}

func asking(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return changed(t, manifest(t, "chattenant"), set("metadata.name", name), set("spec.endpoint.host", "shared.example"))
}
