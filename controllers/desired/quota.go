// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// Objects that a tenant consists of.
const (
	postgresPods   = 1
	tenantServices = 2
	tenantVolumes  = 1
)

// peakChatServers is the most chat server pods that exist at a time. A rolling update adds one pod and replaces the
// others one by one, and the replaced ones count until they have drained, which takes longer than starting a new one.
func peakChatServers(in Input) int32 { return 2*replicas(in) + 1 }

// resourceQuota allows a tenant exactly what its class makes of it, at the peak of a rolling update:
//
//	pods     = peakChatServers + 1 database + an isolation probe per role
//	requests = peakChatServers × chat server's requests + the database's + the probes' (limits likewise, where chat
//	           server and database have one)
//	storage  = one volume of the tenant's size
//
// Node ports and load balancers would be ways in past the ingress gateway: there are none.
func resourceQuota(in Input) Object {
	chat, database, peak := chatServerSizes(in), postgresSizes(in), int64(peakChatServers(in))
	probe, probes := probeSizes(in), int64(len(ProbeRoles(in)))
	hard := corev1.ResourceList{
		corev1.ResourcePods:                   count(peak + postgresPods + probes),
		corev1.ResourceServices:               count(tenantServices),
		corev1.ResourceServicesNodePorts:      count(0),
		corev1.ResourceServicesLoadBalancers:  count(0),
		corev1.ResourcePersistentVolumeClaims: count(tenantVolumes),
		corev1.ResourceRequestsStorage:        storageSize(in),
	}
	for name, quantity := range sum(sum(times(chat.requests, peak), database.requests), times(probe.requests, probes)) {
		hard["requests."+name] = quantity
	}
	for name, quantity := range sum(sum(times(chat.limits, peak), database.limits), times(probe.limits, probes)) {
		hard["limits."+name] = quantity
	}
	return own(in, componentGuardrails, corev1ac.ResourceQuota("tenant", in.namespace())).
		WithSpec(corev1ac.ResourceQuotaSpec().WithHard(hard))
}

// limitRange gives a container that states nothing a chat server's share, because the quota refuses pods without
// requests and limits, and keeps a single container or volume from taking the whole quota. A limit that only the chat
// server has is no default: it would be put on the database.
func limitRange(in Input) Object {
	chat, database := chatServerSizes(in), postgresSizes(in)
	containers := corev1ac.LimitRangeItem().
		WithType(corev1.LimitTypeContainer).
		WithDefaultRequest(chat.requests).
		WithDefault(first(chat.limits, database.limits)).
		WithMax(largest(chat.limits, database.limits))
	volumes := corev1ac.LimitRangeItem().
		WithType(corev1.LimitTypePersistentVolumeClaim).
		WithMax(corev1.ResourceList{corev1.ResourceStorage: storageSize(in)})
	return own(in, componentGuardrails, corev1ac.LimitRange("tenant", in.namespace())).
		WithSpec(corev1ac.LimitRangeSpec().WithLimits(containers, volumes))
}

func count(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.DecimalSI) }
