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
	statefulSets  = "system:serviceaccount:kube-system:statefulset-controller"
	binder        = "system:serviceaccount:kube-system:persistent-volume-binder"
	ofItsClass    = "storageClassName must be local-eu-central"
	newAndEmpty   = "volumes of a tenant are new and empty"
	madeByCluster = "claims in a tenant's namespace are made by Kubernetes' own controllers"
	boundByBinder = "claims in a tenant's namespace are bound to volumes by Kubernetes' own controllers, not by hand"
)

// Nobody is exempt: a claim's controller makes what a template says, so templates are held to the same.
func TestATenantsVolumesComeNewAndFromItsRegion(t *testing.T) {
	inTenantNamespace(t)
	for _, row := range []struct {
		name    string
		change  change
		message string
	}{
		{"as the operator's template makes it", set("spec.accessModes", []string{"ReadWriteOnce"}), ""},
		{"from another region's class", set("spec.storageClassName", "local-us-east"), ofItsClass},
		{"from the cluster's default class", set("spec.storageClassName", absent), ofItsClass},
		{"from no class", set("spec.storageClassName", ""), ofItsClass},
		{"of a volume by name", set("spec.volumeName", "pv-of-globex"), newAndEmpty},
		{"of a volume by labels", set("spec.selector", map[string]any{"matchLabels": map[string]string{"a": "b"}}),
			newAndEmpty},
		{"of a volume by no labels", set("spec.selector", map[string]any{}), newAndEmpty},
		{"from another claim", set("spec.dataSource", map[string]any{"kind": "PersistentVolumeClaim", "name": "other"}),
			newAndEmpty},
		{"from a snapshot", set("spec.dataSourceRef", map[string]any{"apiGroup": "snapshot.storage.k8s.io",
			"kind": "VolumeSnapshot", "name": "s"}), newAndEmpty},
	} {
		t.Run("a claim "+row.name, func(t *testing.T) {
			err := creation(changed(t, newClaim("data-postgres-1"), row.change))(t.Context(), as(t, statefulSets))
			wantVerdict(t, err, row.message)
		})
		t.Run("a template "+row.name, func(t *testing.T) {
			claim := changed(t, newClaim("data"), row.change)
			claim.SetNamespace("")
			set := newStatefulSet("second", claim)
			wantVerdict(t, creation(set)(t.Context(), as(t, operator)), row.message)
		})
	}
}

func wantVerdict(t *testing.T, err error, message string) {
	t.Helper()
	if message != "" {
		wantRefusal(t, err, message)
	} else if err != nil {
		t.Errorf("want no refusal, got: %v", err)
	}
}

// A StatefulSet takes up a claim that it finds under its own claim's name.
func TestNobodyLaysAClaimInATenantsWay(t *testing.T) {
	inTenantNamespace(t)
	controllers := []string{statefulSets, manager}
	for _, user := range append([]string{statefulSets, binder}, everybody...) {
		err := creation(newClaim("data-postgres-1"))(t.Context(), as(t, user))
		if user == controllers[0] || user == controllers[1] {
			wantVerdict(t, err, "")
		} else {
			wantRefusal(t, err, madeByCluster)
		}
	}
}

func TestOnlyKubernetesBindsATenantsClaims(t *testing.T) {
	inTenantNamespace(t)
	unbound := newClaim("data-unbound-0")
	// Nobody takes its finalizer away, so it would never go.
	if err := as(t, statefulSets).Create(t.Context(), unbound); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	for _, user := range append([]string{binder}, everybody...) {
		err := patching(newObject("v1", "PersistentVolumeClaim", "data-unbound-0"),
			`{"spec":{"volumeName":"pv-of-globex"}}`)(t.Context(), as(t, user))
		if user == binder || user == manager || user == scheduler {
			wantVerdict(t, err, "")
		} else {
			wantRefusal(t, err, boundByBinder)
		}
	}
}

func newClaim(name string) *unstructured.Unstructured {
	o := newObject("v1", "PersistentVolumeClaim", name)
	o.Object["spec"] = map[string]any{
		"storageClassName": "local-eu-central", "accessModes": []any{"ReadWriteOnce"},
		"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
	}
	return o
}

func newStatefulSet(name string, claim *unstructured.Unstructured) *unstructured.Unstructured {
	o := newObject("apps/v1", "StatefulSet", name)
	labels := map[string]any{"set": name}
	o.Object["spec"] = map[string]any{
		"serviceName": name, "selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "c", "image": "c"}}},
		},
		"volumeClaimTemplates": []any{claim.Object},
	}
	return o
}
