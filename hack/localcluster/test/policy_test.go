//go:build cluster

// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// serve answers on port 5432 for ever.
const serve = "export LC_ALL=C.UTF-8; initdb -D /data/db >/dev/null && exec postgres -D /data/db " +
	"-c listen_addresses=* -c unix_socket_directories=/data"

// destination is something a Pod may try to reach.
type destination struct{ name, address, port string }

// reach tries to connect from a Pod; ok says whether it could.
func reach(ctx context.Context, namespace, pod string, to destination) (ok bool) {
	open, err := reachable(ctx, namespace, pod, []destination{to})
	return err == nil && open[to]
}

// reachable tries many destinations at once and says which could be reached.
func reachable(ctx context.Context, namespace, pod string, list []destination) (map[destination]bool, error) {
	var script strings.Builder
	for i, to := range list {
		fmt.Fprintf(&script, "(timeout 3 bash -c '</dev/tcp/%s/%s' 2>/dev/null && echo open-%d-) & ", to.address, to.port, i)
	}
	output, err := kubectl(ctx, "", "exec", "--namespace", namespace, pod, "--", "bash", "-c", script.String()+"wait")
	if err != nil {
		return nil, err
	}
	open := map[destination]bool{}
	for i, to := range list {
		open[to] = strings.Contains(output, fmt.Sprintf("open-%d-", i))
	}
	return open, nil
}

// resolves asks the cluster's DNS, by UDP, for an outside name.
func resolves(ctx context.Context, namespace, pod string) bool {
	_, err := kubectl(ctx, "", "exec", "--namespace", namespace, pod, "--",
		"timeout", "5", "getent", "hosts", "crm.example")
	return err == nil
}

// everything is what an unrestricted Pod can reach.
func everything(nodePort string) []destination {
	list := []destination{
		{"the API server's Service", topology.APIServiceAddress, "443"},
		{"the API server", topology.ControlPlaneAddress, "6443"},
		{"DNS by TCP", topology.DNSServiceAddress, "53"},
		{"the metadata address", topology.MetadataAddress, "80"},
		{"the outside's DNS", topology.OutsideDNS, "53"},
		{"the outside", topology.OutsideServers()[1].Address, "443"},
	}
	for _, node := range topology.Nodes() {
		list = append(list, destination{"the kubelet of " + node.Name, node.Address(), "10250"},
			destination{"a NodePort on " + node.Name, node.Address(), nodePort})
	}
	return list
}

func policy(namespace, name string, spec map[string]any) map[string]any {
	spec["podSelector"] = map[string]any{}
	spec["policyTypes"] = []string{"Ingress", "Egress"}
	return map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": name, "namespace": namespace}, "spec": spec,
	}
}

func named(namespace string) []any {
	return []any{map[string]any{
		"namespaceSelector": map[string]any{"matchLabels": map[string]string{"kubernetes.io/metadata.name": namespace}},
	}}
}

func port(number int, protocol string) []any {
	return []any{map[string]any{"port": number, "protocol": protocol}}
}

// policyScene is a Pod "here", one beside it in another namespace and one on another node, all of which serve.
type policyScene struct {
	here, there  string
	destinations []destination
}

func newPolicyScene(t *testing.T) policyScene {
	t.Helper()
	eu, us := topology.Nodes()[0], topology.Nodes()[1]
	scene := policyScene{here: namespace(t, "lc-here"), there: namespace(t, "lc-there")}
	apply(t, pod(t, scene.here, "server", eu.Region, serve, nil), pod(t, scene.there, "near", eu.Region, serve, nil),
		pod(t, scene.there, "far", us.Region, serve, nil), map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "far", "namespace": scene.there},
			"spec": map[string]any{
				"type": "NodePort", "selector": map[string]string{"name": "far"}, "ports": port(5432, "TCP"),
			},
		})
	for _, name := range []string{"near", "far"} {
		awaitReady(t, scene.there, name)
	}
	awaitReady(t, scene.here, "server")
	nodePort := mustKubectl(t, "get", "service", "--namespace", scene.there, "far", "--output",
		"jsonpath={.spec.ports[0].nodePort}")
	scene.destinations = append(everything(nodePort),
		destination{"a Pod on the same node", podIP(t, scene.there, "near"), "5432"},
		destination{"a Pod on another node", podIP(t, scene.there, "far"), "5432"})
	return scene
}

// expect compares what the Pod reaches with what it should; open names the destinations that should be.
func (s policyScene) expect(ctx context.Context, open func(destination) bool, dns bool) error {
	reached, err := reachable(ctx, s.here, "server", s.destinations)
	if err != nil {
		return err
	}
	var wrong []string
	for _, to := range s.destinations {
		if reached[to] != open(to) {
			wrong = append(wrong, fmt.Sprintf("%s (%s:%s) open: %v", to.name, to.address, to.port, !open(to)))
		}
	}
	if resolves(ctx, s.here, "server") != dns {
		wrong = append(wrong, fmt.Sprintf("DNS by UDP open: %v", !dns))
	}
	if wrong == nil {
		return nil
	}
	return fmt.Errorf("unexpected: %s", strings.Join(wrong, "; "))
}

func TestPoliciesAreEnforcedInBothDirections(t *testing.T) {
	scene := newPolicyScene(t)
	here := destination{"the Pod", podIP(t, scene.here, "server"), "5432"}
	all := func(destination) bool { return true }
	none := func(destination) bool { return false }
	inbound := func(want bool) func() error {
		return func() error {
			for _, from := range []string{"near", "far"} {
				if reach(t.Context(), scene.there, from, here) != want {
					return fmt.Errorf("from %s open: %v", from, !want)
				}
			}
			return nil
		}
	}
	// The servers are still starting.
	eventually(t, patience, func() error { return scene.expect(t.Context(), all, true) })
	eventually(t, patience, inbound(true))

	apply(t, policy(scene.here, "deny", map[string]any{}))
	eventually(t, patience, func() error { return scene.expect(t.Context(), none, false) })
	eventually(t, settle, inbound(false))

	apply(t, policy(scene.here, "allow", map[string]any{
		"ingress": []any{map[string]any{"from": named(scene.there), "ports": port(5432, "TCP")}},
		"egress": []any{
			map[string]any{"to": named(scene.there), "ports": port(5432, "TCP")},
			map[string]any{"to": named("kube-system"), "ports": port(53, "UDP")},
		},
	}))
	// A NodePort of the Pod's own node is translated before policies look: it is the Pod behind it, which is allowed.
	allowed := func(to destination) bool {
		return to.port == "5432" || to.name == "a NodePort on "+topology.Nodes()[0].Name
	}
	eventually(t, patience, func() error { return scene.expect(t.Context(), allowed, true) })
	eventually(t, settle, inbound(true))
}

func TestAPodIsClosedBeforeItsPoliciesAreInForce(t *testing.T) {
	ns := namespace(t, "lc-early")
	apply(t, policy(ns, "deny", map[string]any{}))
	attempt := fmt.Sprintf("for i in {1..30}; do for to in %s/443 %s/6443 %s/10250 %s/80 %s/53; do "+
		"timeout 0.2 bash -c \"</dev/tcp/$to\" 2>/dev/null && echo reached $to; done\ndone; echo tried; sleep infinity",
		topology.OutsideServers()[0].Address, topology.ControlPlaneAddress, topology.Nodes()[0].Address(),
		topology.MetadataAddress, topology.DNSServiceAddress)
	for _, node := range topology.Nodes() {
		name := "early-" + node.Name
		apply(t, pod(t, ns, name, node.Region, attempt, nil))
		awaitReady(t, ns, name)
		eventually(t, 3*patience, func() error {
			log, err := kubectl(t.Context(), "", "logs", "--namespace", ns, name)
			if err != nil {
				return err
			}
			if strings.Contains(log, "reached") {
				t.Fatalf("a new Pod got out: %s", log)
			}
			if !strings.Contains(log, "tried") {
				return fmt.Errorf("%s is still trying", name)
			}
			return nil
		})
	}
}
