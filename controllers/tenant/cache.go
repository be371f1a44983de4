// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"slices"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
)

// CacheOptions bounds what the operator holds in memory: of namespaced objects only its own, without their bodies; of
// nodes, volumes and pods what placement and diagnosis read. Secrets appear nowhere.
func CacheOptions() cache.Options {
	managed := labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	byObject := map[client.Object]cache.ByObject{
		&corev1.Pod{}:                   {Label: managed, Transform: stripPod},
		&corev1.PersistentVolumeClaim{}: {Label: managed, Transform: cache.TransformStripManagedFields()},
		&corev1.PersistentVolume{}:      {Transform: cache.TransformStripManagedFields()},
		&corev1.Node{}:                  {Transform: stripNode},
		&batchv1.Job{}:                  {Label: managed, Transform: stripJob},
		&cmv1.ClusterIssuer{}:           {Transform: cache.TransformStripManagedFields()},
	}
	for _, kind := range apply.Kinds() {
		by := cache.ByObject{Label: managed, Transform: apply.Strip}
		switch kind.(type) {
		case *corev1.Namespace, *networkingv1.NetworkPolicy:
			// A namespace that someone else made under a tenant's name has to be seen to be left alone, a policy that someone
			// else added to a tenant's, to be probed.
			by.Label = nil
		}
		byObject[kind] = by
	}
	return cache.Options{ByObject: byObject, DefaultTransform: cache.TransformStripManagedFields()}
}

func stripPod(in any) (any, error) {
	pod, ok := in.(*corev1.Pod)
	if !ok {
		return in, nil
	}
	pod.ManagedFields, pod.Annotations = nil, revisionAlone(pod.Annotations)
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName}
	pod.Status = corev1.PodStatus{
		Phase: pod.Status.Phase, Conditions: pod.Status.Conditions, PodIPs: pod.Status.PodIPs,
		InitContainerStatuses: pod.Status.InitContainerStatuses, ContainerStatuses: pod.Status.ContainerStatuses,
	}
	return pod, nil
}

// revisionAlone keeps what the operator itself wrote.
func revisionAlone(annotations map[string]string) map[string]string {
	value, found := annotations[v1alpha1.AnnotationEgressRevision]
	if !found {
		return nil
	}
	return map[string]string{v1alpha1.AnnotationEgressRevision: value}
}

// stripJob keeps what a probe tries, and how it ended.
func stripJob(in any) (any, error) {
	job, ok := in.(*batchv1.Job)
	if !ok {
		return in, nil
	}
	var containers []corev1.Container
	for _, c := range job.Spec.Template.Spec.Containers {
		containers = append(containers, corev1.Container{Name: c.Name, Env: c.Env})
	}
	job.ManagedFields, job.Spec = nil, batchv1.JobSpec{
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: job.Spec.Template.Labels}, Spec: corev1.PodSpec{Containers: containers},
		},
	}
	job.Status = batchv1.JobStatus{CompletionTime: job.Status.CompletionTime, Conditions: job.Status.Conditions}
	return job, nil
}

// stripNode keeps where a node is and where its kubelet listens. Of its conditions only whether it is ready: the others
// change all the time.
func stripNode(in any) (any, error) {
	node, ok := in.(*corev1.Node)
	if !ok {
		return in, nil
	}
	others := func(taint corev1.Taint) bool { return taint.Key != v1alpha1.KeyDedicated }
	stripped := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion, Labels: node.Labels,
		},
		Spec:   corev1.NodeSpec{Taints: slices.DeleteFunc(slices.Clone(node.Spec.Taints), others)},
		Status: corev1.NodeStatus{Addresses: node.Status.Addresses, DaemonEndpoints: node.Status.DaemonEndpoints},
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			stripped.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return stripped, nil
}
