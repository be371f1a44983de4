// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/policy"
)

// placement looks where pods really run and volumes really are. It moves nothing.
func (r *Reconciler) placement(_ context.Context, s *scope) (outcome, error) {
	pods, pendingPods := placedPods(s)
	claims, pendingClaims, err := placedClaims(s)
	if err != nil {
		return outcome{}, err
	}
	objects := slices.Concat(pods, claims)
	slices.SortFunc(objects, func(a, b v1alpha1.PlacedObject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	s.status.Placement = &v1alpha1.PlacementStatus{Objects: objects}
	return placementOutcome(s.facts.Region, objects, slices.Concat(pendingPods, pendingClaims)), nil
}

func placementOutcome(region *v1alpha1.DataRegion, objects []v1alpha1.PlacedObject, pending []string) outcome {
	var outside []string
	for _, o := range objects {
		if o.Region == "" {
			outside = append(outside, fmt.Sprintf("%s %s on %s", o.Kind, o.Name, o.Location))
		}
	}
	switch {
	case len(outside) > 0:
		return outcome{stalled, v1alpha1.ReasonOutsideRegion, fmt.Sprintf(
			"Found outside DataRegion %q: %s. Nothing was moved; find out how it came there, then delete it or restore the "+
				"node's labels", region.Name, strings.Join(outside, ", "))}
	case len(pending) > 0:
		return outcome{waiting, v1alpha1.ReasonPlacementPending, "No place yet: " + strings.Join(pending, ", ")}
	}
	return outcome{done, v1alpha1.ReasonInRegion, fmt.Sprintf(
		"All %d pods and volumes are in DataRegion %q", len(objects), region.Name)}
}

func placedPods(s *scope) (placed []v1alpha1.PlacedObject, pending []string) {
	for i := range s.pods {
		pod := &s.pods[i]
		// A probe holds no data, comes and goes; admission places it like every pod.
		if isProbe(pod.Labels) || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		if pod.Spec.NodeName == "" {
			pending = append(pending, "Pod "+pod.Name)
			continue
		}
		placed = append(placed, v1alpha1.PlacedObject{
			Kind: v1alpha1.PlacedPod, Name: pod.Name, Location: pod.Spec.NodeName, Region: regionOfNode(s, pod.Spec.NodeName),
		})
	}
	return placed, pending
}

func placedClaims(s *scope) (placed []v1alpha1.PlacedObject, pending []string, err error) {
	for i := range s.claims {
		claim := &s.claims[i]
		volume := s.volumes[claim.Spec.VolumeName]
		if volume == nil {
			pending = append(pending, "PersistentVolumeClaim "+claim.Name)
			continue
		}
		inRegion, err := policy.VolumeInRegion(volume, s.nodes, s.facts.Region)
		if err != nil {
			return nil, nil, fmt.Errorf("place claim %s: %w", claim.Name, err)
		}
		object := v1alpha1.PlacedObject{Kind: v1alpha1.PlacedClaim, Name: claim.Name, Location: volume.Name}
		if inRegion {
			object.Region = s.facts.Region.Name
		}
		placed = append(placed, object)
	}
	return placed, pending, nil
}

// regionOfNode answers the tenant's region if the node is in it, empty otherwise: also for a node that is gone.
func regionOfNode(s *scope, name string) string {
	for i := range s.nodes {
		if s.nodes[i].Name == name && policy.NodeInRegion(&s.nodes[i], s.facts.Region) {
			return s.facts.Region.Name
		}
	}
	return ""
}
