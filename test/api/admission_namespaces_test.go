// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	uidKey = "chattenant.io/tenant-uid"

	onlyOperatorMakes = "namespaces with chattenant.io/ labels or annotations are made by the ChatTenant operator"
	labelsAreKept     = "labels under chattenant.io/, pod-security.kubernetes.io/ and app.kubernetes.io/"
	recordIsKept      = "annotations under chattenant.io/ of a tenant's namespace are the ChatTenant operator's record"
	ownersAreKept     = "owner references of a tenant's namespace"
	reach             = "the ChatTenant operator"
)

func namespace(name string) *unstructured.Unstructured {
	o := newObject("v1", "Namespace", name)
	o.SetNamespace("")
	return o
}

func TestNobodyButTheOperatorMarksNamespaces(t *testing.T) {
	inTenantNamespace(t)
	acme, elsewhere := namespace("chat-acme"), namespace("elsewhere")
	trusted := []string{operator, garbage, namespaces, manager}
	withoutOperator := trusted[1:]
	testMatrix(t, []permission{
		{"create one for a tenant", creation(labelled(namespace("chat-new"), "chattenant.io/tenant", "new")),
			withoutOperator, ""},
		{"create one with a tenant's record", creation(recorded(namespace("chat-new"))), withoutOperator, ""},
		{"create an ordinary one", creation(namespace("ordinary")), slices.Concat(withoutOperator, bystanders()), reach},
		{"mark an ordinary one", patching(elsewhere, labelTo("chattenant.io/tenant", "acme")),
			withoutOperator, ""},
		{"record a tenant on an ordinary one", patching(elsewhere, annotationTo(uidKey, "1")),
			withoutOperator, ""},
		{"take a tenant's mark", patching(acme, labelTo("chattenant.io/tenant", "")),
			withoutOperator, ""},
		{"change a tenant's region", patching(acme, labelTo("chattenant.io/region", "us-east")),
			withoutOperator, ""},
		{"retain a living tenant", patching(acme, labelTo("chattenant.io/state", "retained")), trusted, labelsAreKept},
		{"lower pod security", patching(acme, labelTo("pod-security.kubernetes.io/enforce", "privileged")),
			withoutOperator, ""},
		{"pin old pod security", patching(acme, labelTo("pod-security.kubernetes.io/enforce-version", "v1.20")),
			withoutOperator, ""},
		{"disown it", patching(acme, disown), withoutOperator, ""},
		{"lower pod security through the status", patchingSubresource(acme, "status",
			labelTo("pod-security.kubernetes.io/enforce", "privileged")), withoutOperator, ""},
		{"change the record", patching(acme, annotationTo(uidKey, "1")), trusted, recordIsKept},
		{"take the record", patching(acme, annotationTo(uidKey, "")), trusted, recordIsKept},
		{"give it an owner that garbage collection misses", patching(acme, `{"metadata":{"ownerReferences":[`+
			`{"apiVersion":"v1","kind":"Node","name":"gone","uid":"1"}]}}`), trusted, ownersAreKept},
		{"label it for others", patching(acme, labelTo("istio-injection", "disabled")), everybody, ""},
		{"annotate it for others", patching(acme, annotationTo("team", "chat")), everybody, ""},
		{"delete a living tenant's", deletion(acme), trusted,
			"this namespace belongs to ChatTenant acme: delete that instead"},
		{"delete a retained one", deletion(namespace("chat-gone")), trusted,
			"kubectl annotate namespace chat-gone chattenant.io/confirm-deletion=chat-gone"},
		{"confirm the deletion of a retained one", patching(namespace("chat-gone"),
			annotationTo("chattenant.io/confirm-deletion", "chat-gone")), everybody, ""},
		{"delete a retained one after confirming", deletion(namespace("chat-confirmed")), everybody, ""},
	})
}

func recorded(o *unstructured.Unstructured) *unstructured.Unstructured {
	o.SetAnnotations(map[string]string{uidKey: "1"})
	return o
}

// bystanders are neither the operator nor the parts of Kubernetes that end namespaces.
func bystanders() []string {
	return []string{gateway, certManager, person, addOn, impostor, kubelet, scheduler, replicaSets}
}

func TestTheMessagesAboutNamespacesSayWhatToDo(t *testing.T) {
	inTenantNamespace(t)
	acme := namespace("chat-acme")
	for _, row := range []struct {
		name    string
		try     attempt
		message string
	}{
		{"create", creation(labelled(namespace("chat-new"), "chattenant.io/tenant", "new")), onlyOperatorMakes},
		{"create with a record", creation(recorded(namespace("chat-new"))), onlyOperatorMakes},
		{"take a mark", patching(acme, labelTo("chattenant.io/tenant", "")), labelsAreKept},
		{"change a region", patching(acme, labelTo("chattenant.io/region", "us-east")), labelsAreKept},
		{"lower pod security", patching(acme, labelTo("pod-security.kubernetes.io/enforce", "")), labelsAreKept},
		{"disown", patching(acme, disown), labelsAreKept},
		{"mark an ordinary one", patching(namespace("elsewhere"), labelTo("chattenant.io/tenant", "x")), labelsAreKept},
		{"record on an ordinary one", patching(namespace("elsewhere"), annotationTo(uidKey, "1")),
			recordIsKept},
	} {
		t.Run(row.name, func(t *testing.T) { wantRefusal(t, row.try(t.Context(), as(t, person)), row.message) })
	}
}
