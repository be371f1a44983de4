// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/probeplan"
)

// surroundingsAge is how long what was read of the cluster's own parts is used: a fleet that is probed asks a few
// times an hour, a fleet at rest never.
const surroundingsAge = 5 * time.Minute

// surroundings remembers the doors of the cluster's own parts: the API server, its name service, and the product's.
type surroundings struct {
	mu    sync.Mutex
	found []probeplan.Door
	at    time.Time
}

func (m *surroundings) doors(
	ctx context.Context, live client.Reader, system desired.System, now time.Time,
) ([]probeplan.Door, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if age := now.Sub(m.at); m.found != nil && age >= 0 && age < surroundingsAge {
		return m.found, nil
	}
	found := []probeplan.Door{}
	for _, part := range []struct {
		namespace, service string
		end                isolation.End
	}{
		{metav1.NamespaceDefault, "kubernetes", ""},
		{metav1.NamespaceSystem, "kube-dns", isolation.ClusterDNS},
		{system.Namespace, "", ""},
	} {
		doors, err := serviceDoors(ctx, live, part.namespace, part.service, part.end)
		if err != nil {
			return nil, err
		}
		found = append(found, doors...)
	}
	m.found, m.at = found, now
	return found, nil
}

// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=list

// serviceDoors are the Services of that name, or all of the namespace, and the ready ends behind them.
func serviceDoors(
	ctx context.Context, live client.Reader, namespace, name string, end isolation.End,
) (doors []probeplan.Door, err error) {
	services, slices := &corev1.ServiceList{}, &discoveryv1.EndpointSliceList{}
	byName := []client.ListOption{client.InNamespace(namespace)}
	bySlice := []client.ListOption{client.InNamespace(namespace)}
	if name != "" {
		byName = append(byName, client.MatchingFields{"metadata.name": name})
		bySlice = append(bySlice, client.MatchingLabels{discoveryv1.LabelServiceName: name})
	}
	if err := live.List(ctx, services, byName...); err != nil {
		return nil, fmt.Errorf("list services of %s: %w", namespace, err)
	}
	if err := live.List(ctx, slices, bySlice...); err != nil {
		return nil, fmt.Errorf("list endpoint slices of %s: %w", namespace, err)
	}
	behind := map[string]bool{}
	for i := range slices.Items {
		found := readyEnds(&slices.Items[i], end)
		doors = append(doors, found...)
		if len(found) > 0 {
			behind[slices.Items[i].Labels[discoveryv1.LabelServiceName]] = true
		}
	}
	for i := range services.Items {
		service := &services.Items[i]
		for _, address := range service.Spec.ClusterIPs {
			for _, port := range service.Spec.Ports {
				if behind[service.Name] {
					doors = append(doors, doorsOf(end, address, port.Port, port.Protocol)...)
				}
			}
		}
	}
	return doors, nil
}

func readyEnds(slice *discoveryv1.EndpointSlice, end isolation.End) (doors []probeplan.Door) {
	for _, endpoint := range slice.Endpoints {
		if !ptr.Deref(endpoint.Conditions.Ready, true) {
			continue
		}
		for _, address := range endpoint.Addresses {
			for _, port := range slice.Ports {
				protocol := ptr.Deref(port.Protocol, corev1.ProtocolTCP)
				doors = append(doors, doorsOf(end, address, ptr.Deref(port.Port, 0), protocol)...)
			}
		}
	}
	return doors
}

// doorsOf knows how to knock by TCP, and at a name service by UDP.
func doorsOf(end isolation.End, address string, port int32, protocol corev1.Protocol) []probeplan.Door {
	doors := tcpDoors(end, address, []int32{port})
	switch {
	case protocol == corev1.ProtocolUDP && end == isolation.ClusterDNS:
		for i := range doors {
			doors[i].Network = isolation.NetworkDNS
		}
	case protocol != corev1.ProtocolTCP:
		return nil
	}
	return doors
}

func compareNames(a, b client.Object) int { return cmp.Compare(a.GetName(), b.GetName()) }

// whose names an address for people. It is asked for holes only.
func (r *Reconciler) whose(ctx context.Context, address netip.Addr) (string, error) {
	pods, services, nodes := &corev1.PodList{}, &corev1.ServiceList{}, &corev1.NodeList{}
	for _, list := range []client.ObjectList{pods, services, nodes} {
		if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return "", fmt.Errorf("look for the owner of an address: %w", err)
		}
	}
	is := func(text string) bool { other, err := netip.ParseAddr(text); return err == nil && other == address }
	for i := range pods.Items {
		for _, ip := range pods.Items[i].Status.PodIPs {
			if is(ip.IP) {
				return "pod " + pods.Items[i].Namespace + "/" + pods.Items[i].Name, nil
			}
		}
	}
	for i := range services.Items {
		if is(services.Items[i].Spec.ClusterIP) {
			return "Service " + services.Items[i].Namespace + "/" + services.Items[i].Name, nil
		}
	}
	for i := range nodes.Items {
		for _, a := range nodes.Items[i].Status.Addresses {
			if is(a.Address) {
				return "node " + nodes.Items[i].Name, nil
			}
		}
	}
	return "outside the fleet", nil
}
