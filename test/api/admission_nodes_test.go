// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	dedicatedKey   = "chattenant.io/dedicated"
	onItsOwnNodes  = "run on its own nodes"
	toleratesMuch  = "must not tolerate every taint, nor one that dedicates nodes to another tenant"
	notByKubelet   = "labels under chattenant.io/ of a node are set by the cluster's administrators"
	notMovedByNode = "a kubelet does not move its node into or out of DataRegion"
)

// dedicatedNamespace is a tenant's whose class asks for dedicated nodes.
func dedicatedNamespace(t *testing.T) {
	t.Helper()
	ns := tenantsNamespace("chat-hooli")
	ns.SetLabels(map[string]string{
		"app.kubernetes.io/managed-by": "chattenant", "chattenant.io/tenant": "hooli", "chattenant.io/region": "eu-central",
		"pod-security.kubernetes.io/enforce": "restricted", "chattenant.io/nodes": "dedicated",
	})
	if err := as(t, operator).Create(t.Context(), ns); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

func TestPodsWithDedicatedNodesDemandAndTolerateThem(t *testing.T) {
	inTenantNamespace(t)
	dedicatedNamespace(t)
	own := terms(demand(regionLabel, "In", "eu-central"), demand(dedicatedKey, "In", "hooli"))
	const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	for _, row := range []struct {
		name    string
		changes []change
		message string
	}{
		{"both", []change{set(at, own), set("spec.tolerations", tolerate("hooli"))}, ""},
		{"no demand", []change{set("spec.tolerations", tolerate("hooli"))}, onItsOwnNodes},
		{"no toleration", []change{set(at, own)}, onItsOwnNodes},
		{"an alternative", []change{set(at, append(terms(demand(regionLabel, "In", "eu-central")), own...)),
			set("spec.tolerations", tolerate("hooli"))}, onItsOwnNodes},
		{"another's too", []change{set(at, terms(demand(regionLabel, "In", "eu-central"),
			demand(dedicatedKey, "In", "hooli", "acme"))), set("spec.tolerations", tolerate("hooli"))}, onItsOwnNodes},
		{"another's toleration", []change{set(at, own), set("spec.tolerations", append(tolerate("hooli"),
			tolerate("acme")...))}, toleratesMuch},
		{"any toleration", []change{set(at, own), set("spec.tolerations", []any{map[string]any{"operator": "Exists"}})},
			toleratesMuch},
		{"any value", []change{set(at, own), set("spec.tolerations", []any{map[string]any{"operator": "Exists",
			"key": dedicatedKey}})}, toleratesMuch},
	} {
		for _, user := range []string{operator, replicaSets, manager} {
			t.Run(row.name+" by "+user, func(t *testing.T) {
				pod := changed(t, manifest(t, "pod"), append(row.changes, set("metadata.namespace", "chat-hooli"))...)
				wantVerdict(t, creation(pod)(t.Context(), as(t, user)), row.message)
			})
		}
	}
}

func TestPodsWithoutDedicatedNodesTolerateNobodys(t *testing.T) {
	inTenantNamespace(t)
	for name, row := range map[string]struct {
		tolerations []any
		message     string
	}{
		"another's":  {tolerate("hooli"), toleratesMuch},
		"its own":    {tolerate("acme"), toleratesMuch},
		"everything": {[]any{map[string]any{"operator": "Exists"}}, toleratesMuch},
		"unrelated":  {[]any{map[string]any{"operator": "Exists", "key": "example.com/spot"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := changed(t, manifest(t, "pod"), set("metadata.name", "chatserver-2"), set("spec.tolerations",
				row.tolerations))
			wantVerdict(t, creation(pod)(t.Context(), as(t, replicaSets)), row.message)
		})
	}
}

// A toleration can be added to a pod that exists.
func TestNoTolerationIsAddedToARunningPod(t *testing.T) {
	inTenantNamespace(t)
	pod := newObject("v1", "Pod", "chatserver-1")
	err := patching(pod, `{"spec":{"tolerations":[{"key":"chattenant.io/dedicated","value":"hooli"}]}}`)(
		t.Context(), as(t, replicaSets))
	wantRefusal(t, err, toleratesMuch)
}

func tolerate(tenant string) []any {
	return []any{map[string]any{"key": dedicatedKey, "operator": "Equal", "value": tenant}}
}

func TestAKubeletDoesNotSayWhoseItsNodeIsNorMovesIt(t *testing.T) {
	inTenantNamespace(t)
	node := newObject("v1", "Node", "eu-1")
	node.SetNamespace("")
	node.SetLabels(map[string]string{regionLabel: "eu-central", "chattenant.io/dedicated": "acme"})
	ensure(t, adminClient(t), node)
	fresh := func(labels map[string]string) *unstructured.Unstructured {
		o := newObject("v1", "Node", "eu-2")
		o.SetNamespace("")
		o.SetLabels(labels)
		return o
	}
	for _, row := range []struct {
		name    string
		try     attempt
		message string
	}{
		{"dedicate its node elsewhere", patching(node, labelTo(dedicatedKey, "hooli")), notByKubelet},
		{"give its node up", patching(node, labelTo(dedicatedKey, "")), notByKubelet},
		{"dedicate it through the status", patchingSubresource(node, "status", labelTo(dedicatedKey, "hooli")), notByKubelet},
		{"join as dedicated", creation(fresh(map[string]string{dedicatedKey: "acme"})), notByKubelet},
		{"leave its region", patching(node, labelTo(regionLabel, "")), notMovedByNode},
		{"change its region", patching(node, labelTo(regionLabel, "us-east")), notMovedByNode},
		{"change its region through the status", patchingSubresource(node, "status", labelTo(regionLabel, "us-east")),
			notMovedByNode},
		{"label itself otherwise", patching(node, labelTo("kubernetes.io/os", "linux")), ""},
		{"report its status", patchingSubresource(node, "status", `{"status":{"phase":"Running"}}`), ""},
		{"join", creation(fresh(map[string]string{"kubernetes.io/os": "linux"})), ""},
	} {
		t.Run(row.name, func(t *testing.T) { wantVerdict(t, row.try(t.Context(), as(t, kubelet)), row.message) })
	}
	for _, body := range []string{labelTo(dedicatedKey, "hooli"), labelTo(regionLabel, "")} {
		if err := patching(node, body)(t.Context(), as(t, person)); err != nil {
			t.Errorf("an administrator: %v", err)
		}
	}
}
