// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"net"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestTheFirstPolicyDeniesEverythingToEveryPod(t *testing.T) {
	for _, s := range everyScenario() {
		policies := policiesOf(t, s)
		if len(policies) == 0 {
			continue
		}
		deny := policies[0]
		if len(deny.Spec.PodSelector.MatchLabels)+len(deny.Spec.PodSelector.MatchExpressions) != 0 {
			t.Errorf("%s: %s does not select every pod", s.name, deny.Name)
		}
		if len(deny.Spec.Ingress)+len(deny.Spec.Egress) != 0 {
			t.Errorf("%s: %s allows something", s.name, deny.Name)
		}
		for _, policy := range policies {
			if len(policy.Spec.PolicyTypes) != 2 {
				t.Errorf("%s: %s leaves a direction open: %v", s.name, policy.Name, policy.Spec.PolicyTypes)
			}
		}
	}
}

func TestEveryPodIsSelectedByDenyAllAndItsOwnPolicy(t *testing.T) {
	policies := policiesOf(t, named(t, "several-ports"))
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		pod.Labels[v1alpha1.LabelTenant] = "globex"
		var selecting []string
		for _, policy := range policies {
			if matches(t, &policy.Spec.PodSelector, pod.Labels) {
				selecting = append(selecting, policy.Name)
			}
		}
		want := []string{"default-deny", pod.Labels[v1alpha1.LabelNetworkRole]}
		if want[1] == string(isolation.None) {
			want = want[:1]
		}
		if !slices.Equal(want, selecting) {
			t.Errorf("policies %v select the pod, want %v", selecting, want)
		}
	})
}

func matches(t *testing.T, selector *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(k8slabels.Set(set))
}

func policiesOf(t *testing.T, s scenario) []networkingv1.NetworkPolicy {
	t.Helper()
	var policies []networkingv1.NetworkPolicy
	for _, object := range s.objects(t) {
		if object.GetKind() == "NetworkPolicy" {
			policies = append(policies, decode[networkingv1.NetworkPolicy](t, object.Object))
		}
	}
	return policies
}

func TestServicesReachTheListenersOfTheirPods(t *testing.T) {
	for _, s := range everyScenario() {
		for _, object := range s.objects(t) {
			if object.GetKind() != "Service" {
				continue
			}
			service := decode[corev1.Service](t, object.Object)
			pod := podOf(t, s.name, service.Name)
			if !matches(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector}, pod.Labels) {
				t.Errorf("%s: Service %s selects none of its pods", s.name, service.Name)
			}
			for _, port := range service.Spec.Ports {
				if target := port.TargetPort.IntVal; !listens(pod, target) {
					t.Errorf("%s: Service %s sends to port %d, where nothing listens", s.name, service.Name, target)
				}
			}
			if service.Spec.Type != corev1.ServiceTypeClusterIP || len(service.Spec.ExternalIPs) != 0 {
				t.Errorf("%s: Service %s is reachable from outside", s.name, service.Name)
			}
		}
	}
}

func TestTheChatServerListensWhereItsPodSays(t *testing.T) {
	config, pod := serverConfigOf(t, "full-us"), chatServerOf(t, "full-us")
	for _, address := range []string{config.Listen.Public, config.Listen.Health} {
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		port, err := strconv.ParseInt(text, 10, 32)
		if err != nil || !listens(pod, int32(port)) {
			t.Errorf("the configuration listens on %s, which is no port of the pod (%v)", address, err)
		}
	}
}

func listens(pod corev1.PodTemplateSpec, port int32) bool {
	for _, p := range pod.Spec.Containers[0].Ports {
		if p.ContainerPort == port {
			return true
		}
	}
	return false
}
