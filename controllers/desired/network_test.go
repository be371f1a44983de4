// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"net"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"

	"github.com/chattenant/chattenant/api/naming"
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
	policies := policiesOf(t, named(t, "full-us"))
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		pod.Labels[v1alpha1.LabelTenant] = "globex"
		var selecting []string
		for _, policy := range policies {
			if matches(t, &policy.Spec.PodSelector, pod.Labels) {
				selecting = append(selecting, policy.Name)
			}
		}
		if len(selecting) != 2 || selecting[0] != "default-deny" || selecting[1] != pod.Labels[v1alpha1.LabelName] {
			t.Errorf("policies %v select the pod", selecting)
		}
	})
}

// A pod is one end of a connection.
type pod struct {
	namespace string
	labels    map[string]string
}

// TestOnlyTheTwoIntendedConnectionsAreOpen decides every pair of pods as the API defines it.
func TestOnlyTheTwoIntendedConnectionsAreOpen(t *testing.T) {
	policies := policiesOf(t, named(t, "minimal-eu"))
	component := func(namespace, tenant, name string) pod {
		return pod{namespace, map[string]string{v1alpha1.LabelNetworkRole: name, v1alpha1.LabelTenant: tenant}}
	}
	pods := map[string]pod{
		"chatserver":           component("chat-acme", "acme", "chatserver"),
		"postgres":             component("chat-acme", "acme", "postgres"),
		"other chatserver":     component("chat-globex", "globex", "chatserver"),
		"other postgres":       component("chat-globex", "globex", "postgres"),
		"lookalike chatserver": component("default", "acme", "chatserver"),
		"lookalike postgres":   component("default", "acme", "postgres"),
		"smuggled chatserver":  component("chat-acme", "globex", "chatserver"),
		"gateway":              {"chattenant-system", map[string]string{v1alpha1.LabelName: "chattenant-gateway"}},
		"operator":             {"chattenant-system", map[string]string{v1alpha1.LabelName: "chattenant-operator"}},
		"lookalike gateway":    {"default", map[string]string{v1alpha1.LabelName: "chattenant-gateway"}},
		"dns":                  {"kube-system", map[string]string{"k8s-app": "kube-dns"}},
		"stray pod":            {"chat-acme", map[string]string{"app": "stray"}},
	}
	open := map[[2]string]int32{
		{"gateway", "chatserver"}:  naming.ChatServerPort,
		{"chatserver", "postgres"}: naming.PostgresPort,
	}
	for from, source := range pods {
		for to, target := range pods {
			if from == to || (source.namespace != "chat-acme" && target.namespace != "chat-acme") {
				continue
			}
			for _, port := range []int32{53, 80, 443, 5432, 6443, 8443, 9443, 10250} {
				want := open[[2]string{from, to}] == port
				if got := allowed(t, policies, source, target, port); got != want {
					t.Errorf("%s -> %s port %d: allowed = %t, want %t", from, to, port, got, want)
				}
			}
		}
	}
}

// allowed says whether both ends allow the connection. Ends outside the tenant's namespace allow everything.
func allowed(t *testing.T, policies []networkingv1.NetworkPolicy, source, target pod, port int32) bool {
	t.Helper()
	out, in := source.namespace != "chat-acme", target.namespace != "chat-acme"
	for _, policy := range policies {
		leaves := matches(t, &policy.Spec.PodSelector, source.labels)
		enters := matches(t, &policy.Spec.PodSelector, target.labels)
		for _, rule := range policy.Spec.Egress {
			out = out || leaves && peers(t, rule.To, target) && ports(rule.Ports, port)
		}
		for _, rule := range policy.Spec.Ingress {
			in = in || enters && peers(t, rule.From, source) && ports(rule.Ports, port)
		}
	}
	return out && in
}

// peers says whether one of the list selects p. An empty list would select everything.
func peers(t *testing.T, list []networkingv1.NetworkPolicyPeer, p pod) bool {
	t.Helper()
	for _, peer := range list {
		inNamespace := p.namespace == "chat-acme"
		if peer.NamespaceSelector != nil {
			inNamespace = matches(t, peer.NamespaceSelector, map[string]string{corev1.LabelMetadataName: p.namespace})
		}
		selected := peer.PodSelector == nil || matches(t, peer.PodSelector, p.labels)
		if inNamespace && selected && peer.IPBlock == nil {
			return true
		}
	}
	return len(list) == 0
}

func ports(list []networkingv1.NetworkPolicyPort, port int32) bool {
	for _, p := range list {
		if p.Port.IntVal == port && p.EndPort == nil {
			return true
		}
	}
	return len(list) == 0
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
