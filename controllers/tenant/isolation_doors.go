// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/probeplan"
)

// maxNodes bounds how many kubelets a probe knocks at: the tenant's own nodes first, then others in turn.
const maxNodes = 6

// doors gathers what a probe may knock at. Only what is ready counts: a closed door proves something only where
// somebody is at home.
func (r *Reconciler) doors(ctx context.Context, s *scope, in desired.Input) (probeplan.Facts, error) {
	facts := probeplan.Facts{Shape: desired.Shape(in)}
	var err error
	if facts.Own, err = r.tenantDoors(ctx, s.namespace(), true); err != nil {
		return facts, err
	}
	now := r.Clock.Now()
	round := probeplan.Round(now, period(s.facts.Class))
	tenants := &v1alpha1.ChatTenantList{}
	if err := r.Client.List(ctx, tenants, client.UnsafeDisableDeepCopy); err != nil {
		return facts, fmt.Errorf("list tenants: %w", err)
	}
	names := make([]string, len(tenants.Items))
	for i := range tenants.Items {
		names[i] = tenants.Items[i].Name
	}
	for _, other := range probeplan.Choose(names, s.tenant.Name, round) {
		found, err := r.tenantDoors(ctx, naming.Namespace(other), false)
		if err != nil {
			return facts, err
		}
		facts.Others = append(facts.Others, found)
	}
	shared, err := r.surroundings.doors(ctx, r.Live, r.System, now)
	if err != nil {
		return facts, err
	}
	facts.Shared = slices.Concat(shared, kubelets(s, round), unseen(r.Outside))
	return facts, nil
}

// tenantDoors are the ready pods of a tenant by everything that they listen on, and the Services in front of them.
func (r *Reconciler) tenantDoors(ctx context.Context, namespace string, own bool) (doors []probeplan.Door, err error) {
	pods, services := &corev1.PodList{}, &corev1.ServiceList{}
	if err := r.Client.List(ctx, pods, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", namespace, err)
	}
	if err := r.Client.List(ctx, services, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list services of %s: %w", namespace, err)
	}
	ready := map[isolation.End]bool{}
	add := func(role isolation.End, address string, ports []int32) {
		end := isolation.End("")
		if own {
			end = role
		}
		doors = append(doors, tcpDoors(end, address, ports)...)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		role := isolation.End(pod.Labels[v1alpha1.LabelName])
		if !podReady(pod) {
			continue
		}
		ready[role] = true
		for _, ip := range pod.Status.PodIPs {
			add(role, ip.IP, isolation.Listeners(role))
		}
	}
	for i := range services.Items {
		service := &services.Items[i]
		role := isolation.End(service.Labels[v1alpha1.LabelName])
		if ports := isolation.Listeners(role); ready[role] && len(ports) > 0 {
			add(role, service.Spec.ClusterIP, ports[:1]) // a Service has the first port only
		}
	}
	return doors, nil
}

func podReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp.IsZero() && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// tcpDoors leaves out what is no address: a Service without one.
func tcpDoors(end isolation.End, address string, ports []int32) (doors []probeplan.Door) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	for _, port := range ports {
		if port > 0 && port <= 65535 {
			doors = append(doors, probeplan.Door{
				End: end, Network: isolation.NetworkTCP, Address: netip.AddrPortFrom(ip, uint16(port)),
			})
		}
	}
	return doors
}

// kubelets are those of the nodes that the tenant's pods run on, and of others in turn.
func kubelets(s *scope, round int64) (doors []probeplan.Door) {
	hosts := map[string]bool{}
	for i := range s.pods {
		hosts[s.pods[i].Spec.NodeName] = true
	}
	var own, others []*corev1.Node
	for i := range s.nodes {
		node := &s.nodes[i]
		switch {
		case !nodeReady(node):
		case hosts[node.Name]:
			own = append(own, node)
		default:
			others = append(others, node)
		}
	}
	byName := func(a, b *corev1.Node) int { return compareNames(a, b) }
	slices.SortFunc(own, byName)
	slices.SortFunc(others, byName)
	if n := len(others); n > 0 {
		first := int(round % int64(n))
		others = slices.Concat(others[first:], others[:first])
	}
	chosen := slices.Concat(own, others)
	for _, node := range chosen[:min(len(chosen), maxNodes)] {
		for _, address := range node.Status.Addresses {
			doors = append(doors, tcpDoors("", address.Address, []int32{node.Status.DaemonEndpoints.KubeletEndpoint.Port})...)
		}
	}
	return doors
}

func nodeReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// metadata are the addresses at which clouds tell a node its credentials, also in the form that NAT64 gives it.
var metadata = []netip.AddrPort{
	netip.MustParseAddrPort("169.254.169.254:80"), netip.MustParseAddrPort("[fd00:ec2::254]:80"),
	netip.MustParseAddrPort("[64:ff9b::a9fe:a9fe]:80"),
}

func unseen(outside []netip.AddrPort) (doors []probeplan.Door) {
	for _, address := range slices.Concat(metadata, outside) {
		doors = append(doors, probeplan.Door{Network: isolation.NetworkTCP, Address: address, Unseen: true})
	}
	return doors
}
