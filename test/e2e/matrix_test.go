// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestEveryConnectionOfATenantIsRefusedButItsOwnDatabaseAndTheGateway(t *testing.T) {
	tenants := residents(t)
	for _, tenant := range tenants {
		awaitSettled(t, tenant, naming.ChatServer)
		// The network holds to the policies of now, and no probe is about to take the room in the quota.
		awaitIsolation(t, tenant, metav1.ConditionTrue, v1alpha1.ReasonIsolated)
	}
	with := newProber(t)
	plantUnselected(t, tenants...)
	echoEverywhere(t, with, tenants...)
	var inner, everything []target
	t.Run("every target answers somebody", func(t *testing.T) {
		everything = answeringTargets(t, with, func() []target {
			inner = tenantTargets(t, tenants...)
			return slices.Concat(inner, sharedTargets(t))
		})
	})
	if len(everything) == 0 {
		t.Fatal("there is nothing to try")
	}
	t.Run("pods of tenants to everything", func(t *testing.T) {
		probes := pairs(tenantSources(t, tenants...), slices.Concat(everything, otherForms(everything)))
		tryAll(t, with, probes)
		confirm(t, with, probes)
		coversTheCases(t, probes)
		report(t, probes)
	})
	t.Run("pods of cluster and product to tenants", func(t *testing.T) {
		probes := pairs(strangerSources(t), inner)
		tryAll(t, with, probes)
		confirm(t, with, probes)
		report(t, probes)
	})
}

// answeringTargets fails for targets that nobody reaches: a refusal there would say nothing about a policy. Who may
// reach them are the nodes, from which kubelets probe, and pods that no policy holds. Pods that have just been replaced
// may take a moment, and those that replace them have other addresses, so the targets are collected anew each time.
func answeringTargets(t *testing.T, with prober, collect func() []target) (targets []target) {
	t.Helper()
	eventually(t, patience, "every target answers somebody", func(context.Context) error {
		for _, pod := range strangers(t) {
			if err := podReady(&pod); err != nil {
				return err
			}
		}
		targets = collect()
		if silent := unanswered(t, with, controlSources(t), targets); len(silent) > 0 {
			return fmt.Errorf("nobody reaches %v: that tenants do not proves nothing", silent)
		}
		return nil
	})
	t.Logf("all %d targets answer somebody", len(targets))
	return targets
}

// unanswered are the targets that none of the sources reaches.
func unanswered(t *testing.T, with prober, controls []source, targets []target) []target {
	t.Helper()
	probes := combinations(controls, targets)
	tryAll(t, with, probes)
	return slices.DeleteFunc(slices.Clone(targets), func(to target) bool {
		return slices.ContainsFunc(probes, func(p probe) bool { return p.to == to && p.verdict.isOpen() })
	})
}

// nodeComponent stands for a node as the source of a connection.
const nodeComponent = "node"

// controlSources are the nodes, and the pods of namespaces without a network policy.
func controlSources(t *testing.T) []source {
	t.Helper()
	var controls []source
	for _, name := range nodesIn(t, "") {
		controls = append(controls, newSource(t, name, peer{component: nodeComponent}, insideNode(t, name)))
	}
	for _, pod := range strangers(t) {
		policies := &networkingv1.NetworkPolicyList{}
		if err := live.List(t.Context(), policies, client.InNamespace(pod.Namespace)); err != nil {
			t.Fatalf("list policies: %v", err)
		}
		if len(policies.Items) == 0 {
			controls = append(controls, podSource(t, &pod, peer{component: "control"}))
		}
	}
	return controls
}

// coversTheCases keeps the matrix from quietly shrinking: each of these kinds of pair must be in it.
func coversTheCases(t *testing.T, probes []probe) {
	t.Helper()
	for name, is := range map[string]func(p *probe) bool{
		"own database":               func(p *probe) bool { return p.wanted() && p.from.tenant == p.to.tenant },
		"another tenant's database":  otherTenants(naming.Postgres, naming.PostgresPort),
		"another tenant's endpoint":  otherTenants(naming.ChatServer, naming.ChatServerPort),
		"another tenant's health":    otherTenants(naming.ChatServer, naming.ChatServerHealthPort),
		"API server by Service":      func(p *probe) bool { return p.to.group == "API server" && p.to.address.Port() == 443 },
		"API server by address":      func(p *probe) bool { return p.to.group == "API server" && p.to.address.Port() != 443 },
		"kubelet":                    func(p *probe) bool { return p.to.address.Port() == kubeletPort },
		"metadata address":           func(p *probe) bool { return p.to.group == "metadata address" },
		"operator":                   func(p *probe) bool { return p.to.component == operatorAccount },
		"gateway":                    func(p *probe) bool { return p.to.component == gatewayName },
		"NodePort":                   func(p *probe) bool { return p.to.group == "NodePorts" },
		"cluster DNS over UDP":       func(p *probe) bool { return p.to.group == "DNS over UDP" },
		"cluster DNS over TCP":       func(p *probe) bool { return p.to.group == "DNS over TCP" },
		"outside over TCP":           func(p *probe) bool { return p.to.group == "the outside" },
		"outside over UDP":           func(p *probe) bool { return p.to.group == "the outside over UDP" },
		"a database as the source":   func(p *probe) bool { return p.from.component == naming.Postgres },
		"own endpoint from database": func(p *probe) bool { return !p.wanted() && p.from.tenant == p.to.tenant },
		"own egress gateway":         openOne(naming.ChatServer, naming.Egress),
		"names, from the gateway":    openOne(naming.Egress, "kube-dns"),
		"a recipient's port":         openOne(naming.Egress, beyond),
		"another tenant's gateway":   otherTenants(naming.Egress, naming.EgressPort),
		"a pod of no narrow policy":  func(p *probe) bool { return p.from.component == unselected },
		"to such a pod":              func(p *probe) bool { return p.to.component == unselected },
		"datagrams to tenants":       func(p *probe) bool { return p.to.network == "udp" && p.to.tenant != "" },
		"datagrams to nodes":         func(p *probe) bool { return p.to.group == "nodes and kubelets over UDP" },
		"QUIC":                       func(p *probe) bool { return p.to.network == "udp" && p.to.address.Port() == 443 },
		"IPv6":                       func(p *probe) bool { return p.to.address.Addr().Is6() },
	} {
		if !slices.ContainsFunc(probes, func(p probe) bool { return is(&p) }) {
			t.Errorf("no pair tries: %s", name)
		}
	}
}

func otherTenants(component string, port uint16) func(p *probe) bool {
	return func(p *probe) bool {
		return p.to.component == component && p.to.address.Port() == port && p.to.tenant != p.from.tenant
	}
}

func openOne(from, to string) func(p *probe) bool {
	return func(p *probe) bool { return p.wanted() && p.from.component == from && p.to.component == to }
}
