// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/chattenant/chattenant/api/trust"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// edits are what somebody with wide rights might do by hand, by kind: each would weaken a tenant or break it.
var edits = map[string]func(object map[string]any){
	"Namespace": func(o map[string]any) {
		set(o, "privileged", "metadata", "labels", "pod-security.kubernetes.io/enforce")
	},
	"RoleBinding": func(o map[string]any) { set(o, []any{somebody()}, "subjects") },
	"ResourceQuota": func(o map[string]any) {
		set(o, "1000", "spec", "hard", "pods")
	},
	"LimitRange": func(o map[string]any) {
		set(o, []any{map[string]any{"type": "Pod", "max": map[string]any{"memory": "1Ti"}}}, "spec", "limits")
	},
	"ServiceAccount": func(o map[string]any) { set(o, true, "automountServiceAccountToken") },
	"NetworkPolicy": func(o map[string]any) {
		// An empty rule lets everything through.
		set(o, []any{map[string]any{}}, "spec", "ingress")
		set(o, []any{map[string]any{}}, "spec", "egress")
	},
	"ConfigMap": func(o map[string]any) {
		data, _, _ := unstructured.NestedStringMap(o, "data")
		for name := range data {
			set(o, "# emptied by hand", "data", name)
		}
		set(o, "by hand", "data", "added")
	},
	"Service": func(o map[string]any) { set(o, map[string]any{"app": "elsewhere"}, "spec", "selector") },
	"StatefulSet": func(o map[string]any) {
		addContainer(o)
		set(o, int64(0), "spec", "replicas")
	},
	"Deployment": func(o map[string]any) {
		addContainer(o)
		set(o, int64(1), "spec", "replicas")
	},
	"PodDisruptionBudget": func(o map[string]any) { set(o, "100%", "spec", "maxUnavailable") },
	"Issuer": func(o map[string]any) {
		set(o, map[string]any{"ca": map[string]any{"secretName": "elsewhere"}}, "spec")
	},
	"Certificate": func(o map[string]any) { set(o, []any{"intruder.example"}, "spec", "dnsNames") },
}

func somebody() map[string]any {
	return map[string]any{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "somebody"}
}

func addContainer(o map[string]any) {
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, _ := unstructured.NestedSlice(o, path...)
	first, _ := containers[0].(map[string]any)
	added := maps.Clone(first)
	added["name"] = "added-by-hand"
	delete(added, "ports")
	set(o, append(containers, added), path...)
}

// set panics on a value that JSON does not know, which only a wrong edit above can hold.
func set(o map[string]any, value any, path ...string) {
	if err := unstructured.SetNestedField(o, value, path...); err != nil {
		panic(err)
	}
}

// disown takes the label away by which the operator knows its objects. On a namespace that would take it out of the
// operator's reach: there admission alone protects the label.
func disown(o map[string]any) {
	unstructured.RemoveNestedField(o, "metadata", "labels", v1alpha1.LabelManagedBy)
	set(o, "somebody", "metadata", "labels", v1alpha1.LabelPartOf)
}

// essence is what an object says, without what the API server and other controllers note on it.
func essence(o *unstructured.Unstructured) map[string]any {
	content := runtime.DeepCopyJSON(o.Object)
	delete(content, "status")
	for _, field := range []string{
		"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "deletionTimestamp",
		"deletionGracePeriodSeconds", "selfLink",
	} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	unstructured.RemoveNestedField(content, "metadata", "annotations", "deployment.kubernetes.io/revision")
	if left, _, _ := unstructured.NestedMap(content, "metadata", "annotations"); len(left) == 0 {
		unstructured.RemoveNestedField(content, "metadata", "annotations")
	}
	if o.GetKind() == "ConfigMap" && o.GetName() == trustDocument {
		forgetProofs(content)
	}
	if o.GetKind() == "Service" {
		// A new Service gets a new address.
		unstructured.RemoveNestedField(content, "spec", "clusterIP")
		unstructured.RemoveNestedField(content, "spec", "clusterIPs")
	}
	return content
}

// trustDocument is the ConfigMap of the tenant's document about itself.
const trustDocument = "trust"

// forgetProofs takes out of the document what it tells of the tenant's conditions, and since when: the repairs before
// change those, and what the status says by now is what it must say. What is no document stays as it is.
func forgetProofs(content map[string]any) {
	text, _, _ := unstructured.NestedString(content, "data", trust.FileName)
	var document map[string]any
	if json.Unmarshal([]byte(text), &document) != nil {
		return
	}
	delete(document, "proofs")
	set(content, document, "data", trust.FileName)
}
