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
	inItsRegion = "pods of this tenant stay in region eu-central: every term of " +
		"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution must demand " +
		"node-restriction.kubernetes.io/region In [eu-central]"
	noNodeName   = "spec.nodeName must be empty"
	knownAccount = "spec.serviceAccountName must be chatserver, postgres, egress or isolation-probe"
	noAPIAccess  = "spec.automountServiceAccountToken must be false and no volume may project a token"
	knownVolumes = "volumes of a tenant's pod are Secrets, ConfigMaps, empty folders and claims"
	noDebugger   = "no container is added to a tenant's running pods"
)

const regionLabel = "node-restriction.kubernetes.io/region"

// Nobody is exempt, the operator and the controllers that make pods from its templates least of all.
func TestEveryPodOfATenantHasItsPlace(t *testing.T) {
	inTenantNamespace(t)
	const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	for _, row := range []struct {
		name    string
		change  change
		message string
	}{
		{"as the operator's templates make it", set("spec.hostname", "one"), ""},
		{"of the database", set("spec.serviceAccountName", "postgres"), ""},
		{"of the egress gateway", set("spec.serviceAccountName", "egress"), ""},
		{"with more demands", set(at, terms(demand(regionLabel, "In", "eu-central"), demand("disk", "Exists"))), ""},

		{"without an affinity", set("spec.affinity", absent), inItsRegion},
		{"without terms", set("spec.affinity.nodeAffinity", map[string]any{
			"preferredDuringSchedulingIgnoredDuringExecution": []any{}}), inItsRegion},
		{"with a mere preference", set("spec.affinity.nodeAffinity", map[string]any{
			"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{
				"weight": 100, "preference": map[string]any{"matchExpressions": []any{demand(regionLabel, "In", "eu-central")}},
			}}}), inItsRegion},
		{"in another region", set(at, terms(demand(regionLabel, "In", "us-east"))), inItsRegion},
		{"in either region", set(at, terms(demand(regionLabel, "In", "eu-central", "us-east"))), inItsRegion},
		{"on nodes of any region", set(at, terms(demand(regionLabel, "Exists"))), inItsRegion},
		{"on nodes that are not elsewhere", set(at, terms(demand(regionLabel, "NotIn", "us-east"))), inItsRegion},
		{"by another label", set(at, terms(demand("topology.kubernetes.io/region", "In", "eu-central"))), inItsRegion},
		{"with an alternative", set(at, append(terms(demand(regionLabel, "In", "eu-central")), terms(demand("disk",
			"Exists"))...)),
			inItsRegion},
		{"by the node's name", set(at, []any{map[string]any{"matchFields": []any{demand("metadata.name", "In", "eu-1")}}}),
			inItsRegion},
		{"with a node selector in place of the affinity", func(t *testing.T, o *unstructured.Unstructured) {
			t.Helper()
			set("spec.affinity", absent)(t, o)
			set("spec.nodeSelector", map[string]string{regionLabel: "eu-central"})(t, o)
		}, inItsRegion},

		{"on a node already", set("spec.nodeName", "eu-1"), noNodeName},
		{"under the namespace's own account", set("spec.serviceAccountName", "default"), knownAccount},
		{"under no account", set("spec.serviceAccountName", absent), knownAccount},
		{"with a token", set("spec.automountServiceAccountToken", true), noAPIAccess},
		{"with a token by default", set("spec.automountServiceAccountToken", absent), noAPIAccess},
		{"with what a volume driver makes", set("spec.volumes", []any{map[string]any{"name": "share",
			"csi": map[string]any{"driver": "nfs.example"}}}), knownVolumes},
		{"with a claim of its own", set("spec.volumes", []any{map[string]any{"name": "own",
			"ephemeral": map[string]any{"volumeClaimTemplate": map[string]any{"spec": newClaim("").Object["spec"]}}}}),
			knownVolumes},
		{"with an image for a volume", set("spec.volumes", []any{map[string]any{"name": "image",
			"image": map[string]any{"reference": "busybox"}}}), "olumes"},
		{"in the host's network", set("spec.hostNetwork", true), "violates PodSecurity"},
		{"with the host's files", set("spec.volumes", []any{map[string]any{"name": "host",
			"hostPath": map[string]any{"path": "/"}}}), "violates PodSecurity"},
	} {
		for _, user := range []string{operator, replicaSets, manager} {
			t.Run(row.name+" by "+user, func(t *testing.T) {
				pod := changed(t, manifest(t, "pod"), set("metadata.name", "chatserver-2"), row.change)
				err := creation(pod)(t.Context(), as(t, user))
				if row.message != "" {
					wantRefusal(t, err, row.message)
				} else if err != nil {
					t.Errorf("want no refusal, got: %v", err)
				}
			})
		}
	}
}

func TestARegionOfSeveralLabelsDemandsThemAll(t *testing.T) {
	inTenantNamespace(t)
	ns := namespace("chat-globex")
	ns.SetLabels(map[string]string{
		"app.kubernetes.io/managed-by": "chattenant", "chattenant.io/tenant": "globex", "chattenant.io/region": "us-east",
		"pod-security.kubernetes.io/enforce": "restricted",
	})
	if err := as(t, operator).Create(t.Context(), ns); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	c, pod := as(t, replicaSets), changed(t, manifest(t, "pod"), set("metadata.namespace", "chat-globex"))
	whole := terms(demand(regionLabel, "In", "us-east"), demand("example.com/tier", "In", "chat"))
	if err := creation(changed(t, pod, set(at, whole)))(t.Context(), c); err != nil {
		t.Error(err)
	}
	half := terms(demand(regionLabel, "In", "us-east"))
	wantRefusal(t, creation(changed(t, pod, set(at, half)))(t.Context(), c), "example.com/tier In [chat]")
}

func TestNoContainerIsAddedToARunningPod(t *testing.T) {
	inTenantNamespace(t)
	for _, user := range everybody {
		err := patchingSubresource(newObject("v1", "Pod", "chatserver-1"), "ephemeralcontainers",
			`{"spec":{"ephemeralContainers":[`+container("debug", "busybox")+`]}}`)(t.Context(), as(t, user))
		wantRefusal(t, err, noDebugger)
	}
}

func TestPodsOfOthersGoWhereTheyWant(t *testing.T) {
	inTenantNamespace(t)
	pod := changed(t, manifest(t, "pod"), set("metadata.namespace", "elsewhere"), set("spec.affinity", absent),
		set("spec.nodeName", "us-1"), set("spec.serviceAccountName", "default"), set("spec.automountServiceAccountToken",
			true))
	if err := creation(pod)(t.Context(), as(t, person)); err != nil {
		t.Error(err)
	}
}

// terms is one term with all demands.
func terms(demands ...any) []any { return []any{map[string]any{"matchExpressions": demands}} }

func demand(key, operator string, values ...string) any {
	d := map[string]any{"key": key, "operator": operator}
	if len(values) > 0 {
		d["values"] = values
	}
	return d
}
