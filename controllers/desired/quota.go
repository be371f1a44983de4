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
	egressServices = 1
	tenantVolumes  = 1
)

// Kinds that the platform and cert-manager also make, of each a few: authorities' certificates that are handed to every
// namespace, and keys under way. A tenant has about ten of each. The bound is for whoever would fill the API server.
const (
	mostConfigMaps = 32
	mostSecrets    = 64
)

// peakChatServers is the most chat server pods that exist at a time. A rolling update adds one pod and replaces the
// others one by one, and the replaced ones count until they have drained, which takes longer than starting a new one.
func peakChatServers(in Input) int32 { return 2*replicas(in) + 1 }

// resourceQuota allows a tenant exactly what its class makes of it, at the peak of a rolling update:
//
//	pods     = peakChatServers + 1 database + peakEgressGateways, where there are any + an isolation probe per role
//	requests = what these pods request together (limits likewise, where all but the probes have one)
//	storage  = one volume of the tenant's size
//
// Of what others make besides, it allows a multiple. Node ports and load balancers would be ways in past the ingress
// gateway: there are none.
func resourceQuota(in Input) Object {
	hard := corev1.ResourceList{
		corev1.ResourcePods:                   count(peakPods(in)),
		corev1.ResourceServices:               count(services(in)),
		corev1.ResourceServicesNodePorts:      count(0),
		corev1.ResourceServicesLoadBalancers:  count(0),
		corev1.ResourcePersistentVolumeClaims: count(tenantVolumes),
		corev1.ResourceRequestsStorage:        storageSize(in),
		corev1.ResourceConfigMaps:             count(mostConfigMaps),
		corev1.ResourceSecrets:                count(mostSecrets),
		corev1.ResourceReplicationControllers: count(0),
	}
	total := peakSizes(in)
	for name, quantity := range total.requests {
		hard["requests."+name] = quantity
	}
	for name, quantity := range total.limits {
		hard["limits."+name] = quantity
	}
	return own(in, componentGuardrails, corev1ac.ResourceQuota("tenant", in.namespace())).
		WithSpec(corev1ac.ResourceQuotaSpec().WithHard(hard))
}

func peakPods(in Input) int64 {
	return int64(peakChatServers(in)) + postgresPods + peakEgressGateways(in) + int64(len(ProbeRoles(in)))
}

func services(in Input) int64 {
	if in.Egress == nil {
		return tenantServices
	}
	return tenantServices + egressServices
}

// peakEgressGateways is the most that exist at a time: a rolling update adds one, and the replaced ones count until
// they have stopped.
func peakEgressGateways(in Input) int64 {
	if in.Egress == nil {
		return 0
	}
	return 2*int64(egressReplicas(in)) + 1
}

func peakSizes(in Input) sizes {
	chat, database, peak := chatServerSizes(in), postgresSizes(in), int64(peakChatServers(in))
	total := sizes{
		requests: sum(times(chat.requests, peak), database.requests),
		limits:   sum(times(chat.limits, peak), database.limits),
	}
	if gateways := peakEgressGateways(in); gateways > 0 {
		egress := egressSizes(in)
		total.requests = sum(total.requests, times(egress.requests, gateways))
		total.limits = sum(total.limits, times(egress.limits, gateways))
	}
	probe, probes := probeSizes(in), int64(len(ProbeRoles(in)))
	total.requests = sum(total.requests, times(probe.requests, probes))
	total.limits = sum(total.limits, times(probe.limits, probes))
	return total
}

// limitRange gives a container that states nothing a chat server's share, because the quota refuses pods without
// requests and limits, and keeps a single container or volume from taking the whole quota. A limit that only the chat
// server has is no default: it would be put on the database.
func limitRange(in Input) Object {
	chat, database := chatServerSizes(in), postgresSizes(in)
	most := largest(chat.limits, database.limits)
	if in.Egress != nil {
		most = largest(most, egressSizes(in).limits)
	}
	containers := corev1ac.LimitRangeItem().
		WithType(corev1.LimitTypeContainer).
		WithDefaultRequest(chat.requests).
		WithDefault(first(chat.limits, database.limits)).
		WithMax(most)
	volumes := corev1ac.LimitRangeItem().
		WithType(corev1.LimitTypePersistentVolumeClaim).
		WithMax(corev1.ResourceList{corev1.ResourceStorage: storageSize(in)})
	return own(in, componentGuardrails, corev1ac.LimitRange("tenant", in.namespace())).
		WithSpec(corev1ac.LimitRangeSpec().WithLimits(containers, volumes))
}

func count(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.DecimalSI) }
