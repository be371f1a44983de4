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
	return placementOutcome(s, objects, slices.Concat(pendingPods, pendingClaims)), nil
}

// verifyPlacement looks also where a pass got to no phase: what the status says of places must be true of a tenant that
// is paused, or stalled, or on its way out, as long as it has pods or volumes.
func (r *Reconciler) verifyPlacement(ctx context.Context, s *scope) error {
	_, evaluated := s.outcomes[v1alpha1.ConditionPlacementVerified]
	if evaluated && s.outcomes[v1alpha1.ConditionPlacementVerified].reason != v1alpha1.ReasonNotEvaluated {
		return nil
	}
	if s.gone || s.facts.Region == nil || len(s.pods)+len(s.claims) == 0 {
		return nil
	}
	result, err := r.placement(ctx, s)
	if err != nil {
		result = failed(err)
	}
	s.outcomes[v1alpha1.ConditionPlacementVerified] = result
	return err
}

func placementOutcome(s *scope, objects []v1alpha1.PlacedObject, pending []string) outcome {
	region := s.facts.Region
	var outside []string
	for _, o := range objects {
		if o.Region == "" {
			outside = append(outside, fmt.Sprintf("%s %s on %s", o.Kind, o.Name, o.Location))
		}
	}
	shared := notDedicated(s)
	switch {
	case len(outside) > 0:
		return outcome{stalled, v1alpha1.ReasonOutsideRegion, fmt.Sprintf(
			"Found outside DataRegion %q: %s. Nothing was moved; find out how it came there, then delete it or restore the "+
				"node's labels", region.Name, strings.Join(outside, ", "))}
	case len(shared) > 0:
		return outcome{stalled, v1alpha1.ReasonNodeNotDedicated, fmt.Sprintf(
			"The class asks for dedicated nodes, but %s. Nothing was moved; put the node's label and taint right, or delete "+
				"the pods that do not belong there", strings.Join(shared, "; "))}
	case len(pending) > 0:
		return outcome{waiting, v1alpha1.ReasonPlacementPending, "No place yet: " + strings.Join(pending, ", ")}
	}
	return outcome{done, v1alpha1.ReasonInRegion, fmt.Sprintf(
		"All %d pods and volumes are in DataRegion %q%s", len(objects), region.Name, provenance(region))}
}

// provenance says where that rests on the nodes' own word.
func provenance(region *v1alpha1.DataRegion) string {
	labels := policy.SelfMadeLabels(region)
	if len(labels) == 0 {
		return ""
	}
	return fmt.Sprintf(", judged by node labels that kubelets may set themselves when they join: %s",
		strings.Join(labels, ", "))
}

// notDedicated says what is wrong with the nodes of a tenant whose class asks for dedicated ones.
func notDedicated(s *scope) []string {
	if s.facts.Class == nil || !dedicates(s.facts.Class) {
		return nil
	}
	var wrong []string
	for i := range s.nodes {
		node := &s.nodes[i]
		others, used := s.neighbours[node.Name]
		if !used {
			continue
		}
		if problem := policy.NodeDedicated(node, s.tenant.Name); problem != "" {
			wrong = append(wrong, "node "+node.Name+" "+problem)
		}
		if len(others) > 0 {
			slices.Sort(others)
			wrong = append(wrong, fmt.Sprintf("node %s also runs pods of ChatTenant %s", node.Name, strings.Join(others, ", ")))
		}
	}
	slices.Sort(wrong)
	return wrong
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
		if volume == nil || !policy.VolumeOf(volume, claim) {
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
