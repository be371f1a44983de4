// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What is here was found by leaving each clause of the policies out, see mutations_test.go: nothing else missed these.

// TestTheOperatorWritesOnPodsThatItMade: the label of a component alone makes none its own.
func TestTheOperatorWritesOnPodsThatItMade(t *testing.T) {
	inTenantNamespace(t)
	gateway := gatewayPod(t)
	told := annotationTo("chattenant.io/egress-revision", "0123.1.1900000000")
	c := as(t, operator)
	if err := patching(gateway, told)(t.Context(), c); err != nil {
		t.Error(err)
	}
	stranger := changed(t, manifest(t, "pod"), set("metadata.name", "egress-3"))
	stranger.SetLabels(map[string]string{"app.kubernetes.io/name": "egress"})
	if err := as(t, replicaSets).Create(t.Context(), stranger); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	wantRefusal(t, patching(newObject("v1", "Pod", "egress-3"), told)(t.Context(), c), gatewaysOnly)
}

// TestTheOperatorTellsAGatewayOnceMore changes the annotation that it wrote before, and takes it away.
func TestTheOperatorTellsAGatewayOnceMore(t *testing.T) {
	inTenantNamespace(t)
	gatewayPod(t)
	told := changed(t, manifest(t, "pod"), set("metadata.name", "egress-4"), set("spec.serviceAccountName", "egress"),
		set("metadata.annotations", map[string]string{"chattenant.io/egress-revision": "0123.1.1900000000"}))
	labels := told.GetLabels()
	labels["app.kubernetes.io/name"] = "egress"
	told.SetLabels(labels)
	if err := as(t, replicaSets).Create(t.Context(), told); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"4567.1.1900000001", ""} {
		again := annotationTo("chattenant.io/egress-revision", value)
		if err := patching(newObject("v1", "Pod", "egress-4"), again)(t.Context(), as(t, operator)); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// TestARecipientOutsideIsNotAddedToATenant, while one that turned out to be outside later keeps nobody from pausing it.
func TestARecipientOutsideIsNotAddedToATenant(t *testing.T) {
	c := adminClient(t)
	bounded := ensure(t, c, changed(t, manifest(t, "chattenant"), set("metadata.name", "bounded-recipients"),
		set("spec.endpoint.host", "bounded-recipients.example"), set("spec.residency.jurisdictions", []string{"EU"}),
		set("spec.subProcessors.approval", "AfterNotice"), set("spec.subProcessors.use[].name", "later-outside")))
	for _, name := range []string{"later-outside", "outside-now"} {
		ensureKnown(t, changed(t, manifest(t, "subprocessor"), set("metadata.name", name),
			set("spec.locations", []string{"US"})))
	}
	add := patching(bounded, `{"spec":{"subProcessors":{"use":[{"name":"outside-now"}]}}}`)
	wantRefusal(t, add(t.Context(), c), "processes data in US")
	if err := patching(bounded, `{"spec":{"reconciliation":"Paused"}}`)(t.Context(), c); err != nil {
		t.Errorf("pausing it: %v", err)
	}
}

// TestABoundedTenantNeedsNoRecipients: what is left out is not outside.
func TestABoundedTenantNeedsNoRecipients(t *testing.T) {
	c := adminClient(t)
	ensureKnown(t, changed(t, manifest(t, "subprocessor"), set("metadata.name", "anywhere"),
		set("spec.locations", []string{"US"})))
	bounded := changed(t, manifest(t, "chattenant"), set("metadata.name", "no-recipients"),
		set("spec.residency.jurisdictions", []string{"EU"}))
	for name, tenant := range map[string]*unstructured.Unstructured{
		"without a policy": changed(t, bounded, set("spec.subProcessors", absent)),
		"without a use":    changed(t, bounded, set("spec.subProcessors", map[string]any{"approval": "AfterNotice"})),
	} {
		if err := creation(tenant)(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheEconomicAreaIsMoreThanTheUnion, and less than the world: a member of both, one of the area alone, one of none.
func TestTheEconomicAreaIsMoreThanTheUnion(t *testing.T) {
	c := adminClient(t)
	for name, country := range map[string]string{"north": "NO", "middle": "DE", "west": "US"} {
		ensureKnown(t, changed(t, manifest(t, "subprocessor"), set("metadata.name", "area-"+name),
			set("spec.locations", []string{country})))
	}
	tenant := func(jurisdiction, use string) *unstructured.Unstructured {
		return changed(t, manifest(t, "chattenant"), set("metadata.name", "area"),
			set("spec.residency.jurisdictions", []string{jurisdiction}), set("spec.subProcessors.approval", "AfterNotice"),
			set("spec.subProcessors.use[].name", use))
	}
	wantRefusal(t, creation(tenant("EU", "area-north"))(t.Context(), c), "processes data in NO")
	wantRefusal(t, creation(tenant("EEA", "area-west"))(t.Context(), c), "processes data in US")
	for _, row := range [][2]string{{"EEA", "area-north"}, {"EEA", "area-middle"}, {"EU", "area-middle"}} {
		if err := creation(tenant(row[0], row[1]))(t.Context(), c); err != nil {
			t.Errorf("%v: %v", row, err)
		}
	}
}

// TestAKubeletRelabelsThroughTheStatusOfAPodNothing: a kubelet writes that status, and no label with it.
func TestAKubeletRelabelsThroughTheStatusOfAPodNothing(t *testing.T) {
	inTenantNamespace(t)
	pod := newObject("v1", "Pod", "chatserver-1")
	wantRefusal(t, patchingSubresource(pod, "status", relabel)(t.Context(), as(t, kubelet)), notThroughStatus)
}

// TestADedicatedPodsTermsAreExact: another key, another operator, or no term at all would let it go elsewhere.
func TestADedicatedPodsTermsAreExact(t *testing.T) {
	inTenantNamespace(t)
	dedicatedNamespace(t)
	const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	region := demand(regionLabel, "In", "eu-central")
	for name, row := range map[string]struct {
		terms   []any
		message string
	}{
		"another key":      {terms(region, demand("example.com/dedicated", "In", "hooli")), onItsOwnNodes},
		"another operator": {terms(region, demand(dedicatedKey, "NotIn", "hooli")), onItsOwnNodes},
	} {
		pod := changed(t, manifest(t, "pod"), set("metadata.namespace", "chat-hooli"), set(at, row.terms),
			set("spec.tolerations", tolerate("hooli")))
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, creation(pod)(t.Context(), as(t, replicaSets)), row.message)
		})
	}
	value := []any{map[string]any{"key": dedicatedKey, "operator": "Exists", "value": ""}}
	pod := changed(t, manifest(t, "pod"), set("metadata.namespace", "chat-hooli"),
		set(at, terms(region, demand(dedicatedKey, "In", "hooli"))),
		set("spec.tolerations", append(value, tolerate("hooli")...)))
	wantRefusal(t, creation(pod)(t.Context(), as(t, replicaSets)), toleratesMuch)
}
