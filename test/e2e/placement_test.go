// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// regionLabel is set on nodes by the administrator, never by a kubelet.
const regionLabel = "node-restriction.kubernetes.io/region"

// TestBothTenantsAreReadyWithPodsAndVolumesInTheirOwnRegion looks at the demo's two tenants, and at all of the matrix'
// for the whole proof.
func TestBothTenantsAreReadyWithPodsAndVolumesInTheirOwnRegion(t *testing.T) {
	tenants := []string{acme, globex}
	if fullProof() {
		tenants = residents(t)
	}
	for _, tenant := range tenants {
		region := getTenant(t, tenant).Spec.Region
		t.Run(tenant+" in "+region, func(t *testing.T) {
			r := record(t, sectionResidency, "pods and volumes of "+tenant+" in "+region)
			awaitReady(t, tenant)
			nodes := nodesIn(t, region)
			if len(nodes) == 0 || len(nodes) == len(nodesIn(t, "")) {
				t.Fatalf("%d nodes are in %s: the cluster cannot tell right from wrong", len(nodes), region)
			}
			var placed []v1alpha1.PlacedObject
			// The operator hears of a pod by a watch, as we do not.
			eventually(t, patience, "the status says what is found", func(context.Context) error {
				placed = slices.Concat(podsOn(t, tenant, nodes, region), volumesOn(t, tenant, nodes, region))
				return statusAgrees(t, tenant, placed)
			})
			r.add(row{Tried: len(placed), Open: len(placed), Result: "where they are is what the status says"})
		})
	}
}

// nodesIn lists the names of a region's nodes, all nodes' if no region is named.
func nodesIn(t *testing.T, region string) []string {
	t.Helper()
	list := &corev1.NodeList{}
	var selector []client.ListOption
	if region != "" {
		selector = append(selector, client.MatchingLabels{regionLabel: region})
	}
	if err := live.List(t.Context(), list, selector...); err != nil {
		t.Fatalf("list nodes: %v", err)
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names
}

// podsOn fails the test if one of the tenant's pods is elsewhere, and returns what the status should say about them.
func podsOn(t *testing.T, tenant string, nodes []string, region string) []v1alpha1.PlacedObject {
	t.Helper()
	var placed []v1alpha1.PlacedObject
	for _, component := range componentsOf(shapeOf(t, tenant)) {
		for _, pod := range tenantPods(t, tenant, component) {
			if !slices.Contains(nodes, pod.Spec.NodeName) {
				t.Errorf("pod %s runs on %s, want one of %v", pod.Name, pod.Spec.NodeName, nodes)
			}
			placed = append(placed, v1alpha1.PlacedObject{
				Kind: v1alpha1.PlacedPod, Name: pod.Name, Location: pod.Spec.NodeName, Region: region,
			})
		}
	}
	return placed
}

// volumesOn does for volumes what podsOn does for pods: a volume is where the nodes are that can mount it.
func volumesOn(t *testing.T, tenant string, nodes []string, region string) []v1alpha1.PlacedObject {
	t.Helper()
	claims := &corev1.PersistentVolumeClaimList{}
	if err := live.List(t.Context(), claims, client.InNamespace(naming.Namespace(tenant))); err != nil {
		t.Fatalf("list claims: %v", err)
	}
	if len(claims.Items) == 0 {
		t.Fatalf("tenant %s has no volume", tenant)
	}
	var placed []v1alpha1.PlacedObject
	for i := range claims.Items {
		claim := &claims.Items[i]
		if found := nodesOfVolume(t, claim.Spec.VolumeName); !sameNames(found, nodes) {
			t.Errorf("volume %s can be mounted on %v, want %v", claim.Spec.VolumeName, found, nodes)
		}
		placed = append(placed, v1alpha1.PlacedObject{
			Kind: v1alpha1.PlacedClaim, Name: claim.Name, Location: claim.Spec.VolumeName, Region: region,
		})
	}
	return placed
}

func nodesOfVolume(t *testing.T, name string) []string {
	t.Helper()
	volume := &corev1.PersistentVolume{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: name}, volume); err != nil {
		t.Fatalf("read volume: %v", err)
	}
	if volume.Spec.NodeAffinity == nil {
		t.Fatalf("volume %s could be anywhere: it has no node affinity", name)
	}
	reachable, err := nodeaffinity.NewNodeSelector(volume.Spec.NodeAffinity.Required)
	if err != nil {
		t.Fatalf("read node affinity of volume %s: %v", name, err)
	}
	nodes := &corev1.NodeList{}
	if err := live.List(t.Context(), nodes); err != nil {
		t.Fatalf("list nodes: %v", err)
	}
	var names []string
	for i := range nodes.Items {
		if reachable.Match(&nodes.Items[i]) {
			names = append(names, nodes.Items[i].Name)
		}
	}
	return names
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// statusAgrees compares what the operator reports with what was found.
func statusAgrees(t *testing.T, tenant string, want []v1alpha1.PlacedObject) error {
	t.Helper()
	status := getTenant(t, tenant).Status
	if status.Placement == nil {
		return errors.New("it says nothing about places")
	}
	byName := func(a, b v1alpha1.PlacedObject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	}
	got := slices.SortedFunc(slices.Values(status.Placement.Objects), byName)
	slices.SortFunc(want, byName)
	if diff := gocmp.Diff(want, got); diff != "" {
		return fmt.Errorf("(-found +reported):\n%s", diff)
	}
	return nil
}
