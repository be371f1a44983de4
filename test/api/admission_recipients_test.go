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
	gatewaysOnly = "the ChatTenant operator writes on the pods of egress gateways only"
	onlyItsWord  = "the ChatTenant operator changes nothing of a pod but its annotation chattenant.io/egress-revision"
)

// gatewayPod is a pod of the tenant's egress gateway, as it runs.
func gatewayPod(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	pod := changed(t, manifest(t, "pod"), set("metadata.name", "egress-1"), set("spec.serviceAccountName", "egress"),
		set("metadata.annotations", map[string]string{"example.test/before": "yes"}))
	labels := pod.GetLabels()
	labels["app.kubernetes.io/name"] = "egress"
	pod.SetLabels(labels)
	if err := as(t, replicaSets).Create(t.Context(), pod.DeepCopy()); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return newObject("v1", "Pod", "egress-1")
}

// Whoever holds the operator's token could else give a running pod another label, and with it other network policies.
func TestTheOperatorWritesOneAnnotationOnGatewaysAndNothingElseOnPods(t *testing.T) {
	inTenantNamespace(t)
	gateway, other := gatewayPod(t), newObject("v1", "Pod", "chatserver-1")
	told := annotationTo("chattenant.io/egress-revision", "0123.1.1900000000")
	elsewhere := changed(t, manifest(t, "pod"), set("metadata.name", "egress-2"), set("metadata.namespace", "elsewhere"))
	elsewhere.SetLabels(map[string]string{
		"app.kubernetes.io/managed-by": "chattenant", "app.kubernetes.io/name": "egress",
	})
	if err := adminClient(t).Create(t.Context(), elsewhere.DeepCopy()); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		pod     *unstructured.Unstructured
		patch   string
		message string
	}{
		{"tell a gateway", gateway, told, ""},
		{"tell a chat server", other, told, gatewaysOnly},
		{"tell a pod of another's", elsewhere, told, gatewaysOnly},
		{"write another annotation", gateway, annotationTo("example.test/other", "x"), onlyItsWord},
		{"change another annotation", gateway, annotationTo("example.test/before", "no"), onlyItsWord},
		{"take another annotation away", gateway, annotationTo("example.test/before", ""), onlyItsWord},
		{"change a label", gateway, labelTo("app.kubernetes.io/name", "chatserver"), onlyItsWord},
		{"add a label", gateway, labelTo("chattenant.io/network-role", "chatserver"), onlyItsWord},
		{"take all labels", gateway, `{"metadata":{"labels":null}}`, onlyItsWord},
		{"change the image", gateway, `{"spec":{"containers":[{"name":"chatserver","image":"spy:1"}]}}`, onlyItsWord},
		{"let it run for an hour only", gateway, `{"spec":{"activeDeadlineSeconds":3600}}`, onlyItsWord},
		{"hold it with a finalizer", gateway, `{"metadata":{"finalizers":["example.test/hold"]}}`, onlyItsWord},
		{"give it an owner", gateway, `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap",` +
			`"name":"x","uid":"0a000000-0000-4000-8000-000000000000"}]}}`, onlyItsWord},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := patchingWith("application/strategic-merge-patch+json", row.pod, row.patch)(t.Context(), as(t, operator))
			if row.message != "" {
				wantRefusal(t, err, row.message)
			} else if err != nil {
				t.Errorf("want no refusal, got: %v", err)
			}
		})
	}
}

// A recipient is recorded first, or known only later: admission refuses what it can know.
func TestARecipientOutsideTheJurisdictionsIsRefused(t *testing.T) {
	c := adminClient(t)
	for name, locations := range map[string][]string{
		"within-eu": {"DE", "FR"}, "within-eea": {"DE", "NO"}, "partly-outside": {"DE", "US"}, "outside": {"US"},
	} {
		ensureKnown(t, changed(t, manifest(t, "subprocessor"), set("metadata.name", name), set("spec.locations", locations)))
	}
	tenant := func(jurisdiction string, use ...string) *unstructured.Unstructured {
		var list []any
		for _, name := range use {
			list = append(list, map[string]any{"name": name})
		}
		return changed(t, manifest(t, "chattenant"), set("metadata.name", "bounded"),
			set("spec.residency.jurisdictions", []string{jurisdiction}),
			set("spec.subProcessors", map[string]any{"approval": "AfterNotice", "use": list}))
	}
	refused := creation(tenant("EU", "within-eu", "partly-outside"))
	wantRefusal(t, refused(t.Context(), c),
		"spec.subProcessors.use names partly-outside, which processes data in US, outside spec.residency.jurisdictions (EU)")
	for _, row := range []struct {
		name    string
		tenant  *unstructured.Unstructured
		message string
	}{
		{"within the union", tenant("EU", "within-eu"), ""},
		{"unknown", tenant("EU", "nobody-yet"), ""},
		{"within the area", tenant("EEA", "within-eu", "within-eea"), ""},
		{"in the country itself", changed(t, tenant("US", "outside"),
			set("spec.residency.jurisdictions", []string{"DE", "US"})), ""},
		{"without bounds", changed(t, tenant("EU", "outside"), set("spec.residency", absent)), ""},
		{"in the area, not in the union", tenant("EU", "within-eea"), "processes data in NO"},
		{"in a member, not in this one", tenant("DE", "within-eu"), "processes data in FR"},
		{"outside altogether", tenant("EU", "outside"), "processes data in US"},
		{"outside by a union that nobody knows", changed(t, tenant("DE", "within-eu"),
			set("spec.residency.jurisdictions", []string{"DE", "XX"})), "processes data in FR"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := creation(row.tenant)(t.Context(), c)
			if row.message != "" {
				wantRefusal(t, err, row.message)
			} else if err != nil {
				t.Errorf("want no refusal, got: %v", err)
			}
		})
	}
}

func TestATenantIsNotMovedOntoARecipientOutside(t *testing.T) {
	c := adminClient(t)
	ensureKnown(t, changed(t, manifest(t, "subprocessor"), set("metadata.name", "far-away"),
		set("spec.locations", []string{"US"})))
	unbound := ensure(t, c, changed(t, manifest(t, "chattenant"), set("metadata.name", "unbound"),
		set("spec.endpoint.host", "unbound.example"), set("spec.subProcessors.approval", "AfterNotice"),
		set("spec.subProcessors.use[].name", "far-away")))
	refused := patching(unbound, `{"spec":{"residency":{"jurisdictions":["EU"]}}}`)
	wantRefusal(t, refused(t.Context(), c), "processes data in US")
	for name, body := range map[string]string{
		"paused": `{"spec":{"reconciliation":"Paused"}}`, "released": `{"metadata":{"finalizers":[]}}`,
		"bounded where the recipient is": `{"spec":{"residency":{"jurisdictions":["DE","US"]}}}`,
	} {
		if err := patching(unbound, body)(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
