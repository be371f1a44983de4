// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// deviations are what makes a pod that is admitted one that is not.
type deviations map[string]func(*corev1.PodSpec)

// podsAreRefused holds Pod Security to its word: the pod is one that everything else admits.
func podsAreRefused(by deviations) func(*testing.T, *trial) {
	return func(t *testing.T, tr *trial) {
		tr.allowed(t, tr.controller, "a pod from which the others deviate", making(placedPod()))
		for _, what := range slices.Sorted(maps.Keys(by)) {
			pod := placedPod()
			by[what](&pod.Spec)
			tr.refusedToAll(t, what, making(pod), byRBAC, byPodSecurity)
			tr.refused(t, tr.controller, what, making(pod), byPodSecurity)
		}
	}
}

func secured(change func(*corev1.SecurityContext)) func(*corev1.PodSpec) {
	return func(s *corev1.PodSpec) { change(s.Containers[0].SecurityContext) }
}

func capabilities() deviations {
	all := deviations{
		"without dropping capabilities": secured(func(s *corev1.SecurityContext) { s.Capabilities = nil }),
	}
	for _, capability := range []corev1.Capability{"NET_ADMIN", "SYS_ADMIN", "NET_RAW", "SYS_TIME"} {
		all["with "+string(capability)] = secured(func(s *corev1.SecurityContext) {
			s.Capabilities.Add = []corev1.Capability{capability}
		})
	}
	return all
}

func rootUsers() deviations {
	return deviations{
		"as whoever the image says": secured(func(s *corev1.SecurityContext) { s.RunAsNonRoot = nil }),
		"as root if need be":        secured(func(s *corev1.SecurityContext) { s.RunAsNonRoot = ptr.To(false) }),
		"as user 0": secured(func(s *corev1.SecurityContext) {
			s.RunAsNonRoot, s.RunAsUser = nil, ptr.To[int64](0)
		}),
		"with a pod of user 0": func(s *corev1.PodSpec) {
			s.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To[int64](0)}
		},
	}
}

func privileged() deviations {
	own := func(s *corev1.SecurityContext) { s.Privileged, s.AllowPrivilegeEscalation = ptr.To(true), nil }
	return deviations{
		"privileged": secured(own),
		"with a privileged container before it": func(s *corev1.PodSpec) {
			first := *s.Containers[0].DeepCopy()
			first.Name = "first"
			own(first.SecurityContext)
			s.InitContainers = []corev1.Container{first}
		},
	}
}

func escalating() deviations {
	return deviations{
		"with escalation":   secured(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = ptr.To(true) }),
		"saying nothing":    secured(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = nil }),
		"without a profile": secured(func(s *corev1.SecurityContext) { s.SeccompProfile = nil }),
	}
}

func hostPaths() deviations {
	all := deviations{}
	for _, path := range []string{"/", "/var/lib/kubelet", "/var/run/containerd"} {
		all["with "+path] = func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: path},
			}}}
		}
	}
	return all
}

func hostNetworks() deviations {
	return deviations{
		"in the host's network": func(s *corev1.PodSpec) { s.HostNetwork = true },
		"with a host port": func(s *corev1.PodSpec) {
			s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8443, HostPort: 8443}}
		},
	}
}

func hostProcesses() deviations {
	return deviations{"among the host's processes": func(s *corev1.PodSpec) { s.HostPID = true }}
}

func hostIPC() deviations {
	return deviations{"with the host's IPC": func(s *corev1.PodSpec) { s.HostIPC = true }}
}

// noForeignImages is the benchmark that demands to pull always, so that nobody runs an image that a node has for
// others. Here nobody runs an image of his own: not by a pod, and not by something that makes pods.
func noForeignImages(t *testing.T, tr *trial) {
	for _, policy := range []corev1.PullPolicy{corev1.PullIfNotPresent, corev1.PullNever, corev1.PullAlways} {
		pod := placedPod()
		pod.Spec.Containers[0].ImagePullPolicy = policy
		tr.refusedToAll(t, "a pod that pulls "+string(policy), making(pod), byRBAC, byPolicy(policyObjects))
	}
	labels := map[string]string{"e2e": ""}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: placedPod().Spec}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	meta := object(naming.Namespace(acme), "own")
	for what, o := range map[string]client.Object{
		"Deployment": &appsv1.Deployment{
			ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template},
		},
		"StatefulSet": &appsv1.StatefulSet{
			ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template},
		},
		"DaemonSet": &appsv1.DaemonSet{
			ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template},
		},
		"ReplicaSet": &appsv1.ReplicaSet{
			ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template},
		},
		"ReplicationController": &corev1.ReplicationController{
			ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: labels, Template: &template},
		},
	} {
		for _, account := range tr.accounts {
			tr.refused(t, account, "make a "+what, making(o), byRBAC)
		}
		tr.refused(t, tr.admin, "make a "+what, making(o), byPolicy(policyObjects))
	}
	tr.imagesAreTheClasss(t)
}

// imagesAreTheClasss looks at what runs.
func (tr *trial) imagesAreTheClasss(t *testing.T) {
	t.Helper()
	class := &v1alpha1.ChatTenantClass{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: getTenant(t, acme).Spec.ClassName}, class); err != nil {
		t.Fatal(err)
	}
	images := class.Spec.Images
	for _, pod := range runningPods(t, naming.Namespace(acme)) {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			of := v1alpha1.Image(c.Image)
			if of == images.ChatServer || of == images.Postgres || of == images.EgressGateway {
				tr.row.opened("")
				continue
			}
			tr.row.otherwise("")
			t.Errorf("pod %s runs %s, which is not its class's", pod.Name, c.Image)
		}
	}
}
