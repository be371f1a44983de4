// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// noticedWithin is how soon a tenant must be known to be out of place: it takes half a second, and the machine may be
// busy.
const noticedWithin = 10 * time.Second

// TestANodeThatLeavesItsRegionIsNoticed takes the label off the node of a tenant in a region of its own. Nothing is
// moved, but the status says so, and says when it is over.
func TestANodeThatLeavesItsRegionIsNoticed(t *testing.T) {
	t.Parallel()
	const name, value = ownPrefix + "drifting", "drifting"
	r := record(t, sectionResidency, "a node that loses its region's label")
	makeRegion(t, name, emptyRegionLabel, value)
	labelNode(t, emptyRegionLabel, value)
	tenant := newTenant("drifting")
	tenant.Spec.Region = name
	createReady(t, tenant)
	node := nodesIn(t, "eu-central")[0]

	start := time.Now()
	setNodeLabel(t, live, node, emptyRegionLabel, nil)
	told := awaitCondition(t, tenant.Name, v1alpha1.ConditionPlacementVerified, metav1.ConditionFalse,
		v1alpha1.ReasonOutsideRegion)
	// The status tells whole seconds, but not how long we took to read it.
	noticed := min(time.Since(start), told.LastTransitionTime.Sub(start)+time.Second)
	t.Logf("%s after %.1f s: %s", told.Reason, noticed.Seconds(), told.Message)
	start = time.Now()
	setNodeLabel(t, live, node, emptyRegionLabel, value)
	awaitCondition(t, tenant.Name, v1alpha1.ConditionPlacementVerified, metav1.ConditionTrue, v1alpha1.ReasonInRegion)
	restored := time.Since(start)
	if noticed > noticedWithin {
		r.otherwise("noticed after %s", noticed)
		t.Errorf("noticed after %s, want %s at most", noticed, noticedWithin)
		return
	}
	r.refused("PlacementVerified false after %.1f s, true again %.1f s after it came back",
		noticed.Seconds(), restored.Seconds())
}

// TestAKubeletDoesNotMoveItsNode acts as a node's kubelet.
func TestAKubeletDoesNotMoveItsNode(t *testing.T) {
	const freeLabel = "e2e.example/region"
	node := nodesIn(t, "eu-central")[0]
	kubelet := asKubelet(t, node)
	makeRegion(t, ownPrefix+"claimed", freeLabel, "claimed")
	setNodeLabel(t, kubelet, node, "e2e.example/other", "allowed", client.DryRunAll)
	for name, tc := range inOrder(map[string]struct {
		node, label, by string
	}{
		"a kubelet gives its node another region":               {node, regionLabel, "is not allowed to modify labels"},
		"a kubelet enters a region by a label it may set":       {node, freeLabel, "'" + policyNodeRegions + "'"},
		"a kubelet makes its node a tenant's":                   {node, "chattenant.io/x", "'" + policyNodeLabels + "'"},
		"a kubelet gives another node its region":               {nodesIn(t, "us-east")[0], regionLabel, "is not allowed"},
		"a kubelet gives another node a label that is nobody's": {nodesIn(t, "us-east")[0], freeLabel, "is not allowed"},
	}) {
		t.Run(name, func(t *testing.T) {
			r := record(t, sectionResidency, name)
			var err error
			// The API server learns of the region that was just made through a watch.
			eventually(t, patience, "a refusal", func(context.Context) error {
				if err = patchNodeLabel(t, kubelet, tc.node, tc.label, "claimed", client.DryRunAll); err == nil {
					return errors.New("it is let through")
				}
				return nil
			})
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), tc.by) {
				r.otherwise("%v", err)
				t.Errorf("want a refusal: %s, got: %v", tc.by, err)
				return
			}
			r.refused("forbidden: %s", strings.Trim(tc.by, "'"))
		})
	}
}

// asKubelet acts with the identity and the rights of a node.
func asKubelet(t *testing.T, node string) client.Client {
	t.Helper()
	config := rest.CopyConfig(live.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:node:" + node, Groups: []string{"system:nodes", "system:authenticated"},
	}
	c, err := client.New(config, client.Options{Scheme: live.Scheme(), Mapper: live.RESTMapper()})
	if err != nil {
		t.Fatalf("act as the kubelet of %s: %v", node, err)
	}
	return c
}

// setNodeLabel gives a node a label, or takes it off: nil.
func setNodeLabel(t *testing.T, c client.Client, node, label string, value any, options ...client.PatchOption) {
	t.Helper()
	if err := patchNodeLabel(t, c, node, label, value, options...); err != nil {
		t.Fatalf("label node %s: %v", node, err)
	}
}

func patchNodeLabel(
	t *testing.T, c client.Client, node, label string, value any, options ...client.PatchOption,
) error {
	t.Helper()
	labels := map[string]any{label: value}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}})
	if err != nil {
		t.Fatal(err)
	}
	of := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
	return c.Patch(t.Context(), of, client.RawPatch(types.MergePatchType, patch), options...)
}
