// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func statefulSetAvailable(o *appsv1.StatefulSet) bool {
	if o == nil || o.Status.ObservedGeneration != o.Generation {
		return false
	}
	return o.Status.UpdateRevision == o.Status.CurrentRevision && o.Status.ReadyReplicas == ptr.Deref(o.Spec.Replicas, 1)
}

func deploymentAvailable(o *appsv1.Deployment) bool {
	if o == nil || o.Status.ObservedGeneration != o.Generation {
		return false
	}
	want := ptr.Deref(o.Spec.Replicas, 1)
	return o.Status.UpdatedReplicas == want && o.Status.ReadyReplicas == want && o.Status.Replicas == want
}

// containerFailures are the reasons of a waiting container that do not pass by themselves.
var containerFailures = []string{
	"CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull", "ErrImagePull",
	"ImagePullBackOff", "InvalidImageName", "RunContainerError",
}

// diagnose says why a component is not available yet: what the scheduler or a container says, or else that it starts.
func diagnose(s *scope, component, starting string) outcome {
	for i := range s.pods {
		pod := &s.pods[i]
		if pod.Labels[v1alpha1.LabelName] != component || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		if message, found := unschedulable(pod); found {
			return outcome{stalled, v1alpha1.ReasonUnschedulable, fmt.Sprintf(
				"Pod %s finds no node in DataRegion %q (%s). Add nodes labelled %s, or free capacity there",
				pod.Name, s.facts.Region.Name, message, selector(s.facts.Region))}
		}
		if container, waitingFor, found := failingContainer(pod); found {
			return outcome{stalled, v1alpha1.ReasonPodsFailing, fmt.Sprintf(
				"Container %s of pod %s: %s. See: kubectl -n %s logs %[2]s -c %[1]s",
				container, pod.Name, waitingFor, s.namespace())}
		}
	}
	return outcome{waiting, v1alpha1.ReasonPodsStarting, starting}
}

func unschedulable(pod *corev1.Pod) (string, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return strings.TrimSuffix(c.Message, "."), true
		}
	}
	return "", false
}

func failingContainer(pod *corev1.Pod) (container, reason string, found bool) {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && slices.Contains(containerFailures, w.Reason) {
			return c.Name, w.Reason, true
		}
	}
	return "", "", false
}

func selector(region *v1alpha1.DataRegion) string {
	var labels []string
	for key, value := range region.Spec.NodeSelector {
		labels = append(labels, key+"="+string(value))
	}
	slices.Sort(labels)
	return strings.Join(labels, ",")
}

// versions are the images that the tenant's pods run, as the kubelet resolved them.
func versions(s *scope) *v1alpha1.VersionStatus {
	found := &v1alpha1.VersionStatus{}
	for i := range s.pods {
		for _, c := range s.pods[i].Status.ContainerStatuses {
			switch {
			case !c.Ready:
			case c.Name == naming.ChatServer:
				found.ChatServer = runningImage(c)
			case c.Name == naming.Egress:
				found.EgressGateway = runningImage(c)
			case c.Name == naming.Postgres:
				found.Postgres = runningImage(c)
			}
		}
	}
	return found
}

// runningImage prefers the digest that the runtime reports. Some runtimes report the digest of the image's
// configuration alone, which names nothing that could be pulled.
func runningImage(c corev1.ContainerStatus) string {
	if strings.Contains(c.ImageID, "@sha256:") {
		return c.ImageID
	}
	return c.Image
}
