// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// sizes are what a container asks for and is held to. A memory limit is always present; a CPU limit is not set by
// default, because it would slow a tenant down while the node idles.
type sizes struct {
	requests, limits corev1.ResourceList
}

// What a container may leave on its node beside its volumes: logs, and sockets. Nothing of ours writes anything else
// there; the limit is far above what kubelets keep of logs, and far below what would harm the node's other tenants.
const (
	scratchRequest = "16Mi"
	scratchLimit   = "1Gi"
)

// withScratch adds the same to what every container asks for and is held to.
func (s sizes) withScratch() sizes {
	s.requests[corev1.ResourceEphemeralStorage] = resource.MustParse(scratchRequest)
	s.limits[corev1.ResourceEphemeralStorage] = resource.MustParse(scratchLimit)
	return s
}

// chatServerSizes are what the class sets, over what one chat server with a few hundred open conversations needs, and
// room for the helper where there is one.
func chatServerSizes(in Input) sizes {
	s := sizes{
		requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("25m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		},
		limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
	}.with(in.Class.Spec.ChatServer.Resources).withScratch()
	limit := s.limits[corev1.ResourceMemory]
	limit.Add(helperMemory(in))
	s.limits[corev1.ResourceMemory] = limit
	return s
}

// helperMemory is the memory that the chat server must leave to the helper.
func helperMemory(in Input) resource.Quantity {
	if runsHelper(in) {
		return kmsHeadroom()
	}
	return resource.Quantity{}
}

// without leaves part of the memory to somebody else.
func (s sizes) without(memory resource.Quantity) sizes {
	limit := s.limits.Memory().DeepCopy()
	limit.Sub(memory)
	return sizes{requests: s.requests, limits: corev1.ResourceList{corev1.ResourceMemory: limit}}
}

// postgresSizes are what the class sets, over what the configuration in postgres/postgresql.conf needs.
func postgresSizes(in Input) sizes {
	return sizes{
		requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("25m"),
			corev1.ResourceMemory: resource.MustParse("48Mi"),
		},
		limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
	}.with(in.Class.Spec.Database.Resources).withScratch()
}

// with puts the class's values over the defaults, and bends a default that contradicts a value of the class: a request
// above its limit is refused by the API server.
func (s sizes) with(class *v1alpha1.Resources) sizes {
	if class == nil {
		return s
	}
	maps.Copy(s.requests, class.Requests)
	maps.Copy(s.limits, class.Limits)
	for name, limit := range s.limits {
		request, requested := s.requests[name]
		if !requested || request.Cmp(limit) <= 0 {
			continue
		}
		if _, fixed := class.Limits[name]; fixed {
			s.requests[name] = limit
		} else {
			s.limits[name] = request
		}
	}
	return s
}

func (s sizes) requirements() *corev1ac.ResourceRequirementsApplyConfiguration {
	return corev1ac.ResourceRequirements().WithRequests(s.requests).WithLimits(s.limits)
}

// goMemoryLimit is GOMEMLIMIT in bytes: nine tenths of the limit, so that the collector works harder before the kernel
// kills. The rest is for what the Go runtime does not count.
func (s sizes) goMemoryLimit() string {
	return strconv.FormatInt(s.limits.Memory().Value()/10*9, 10)
}

// times returns list multiplied by count.
func times(list corev1.ResourceList, count int64) corev1.ResourceList {
	product := make(corev1.ResourceList, len(list))
	for name, quantity := range list {
		quantity.Mul(count)
		product[name] = quantity
	}
	return product
}

// sum adds what both lists name. A resource that only one names is left out: a sum over some would not bound the rest.
func sum(a, b corev1.ResourceList) corev1.ResourceList {
	return combine(a, b, func(x, y resource.Quantity) resource.Quantity {
		x.Add(y)
		return x
	})
}

// largest returns the larger quantity of each resource that both lists name.
func largest(a, b corev1.ResourceList) corev1.ResourceList {
	return combine(a, b, func(x, y resource.Quantity) resource.Quantity {
		if x.Cmp(y) < 0 {
			return y
		}
		return x
	})
}

// first returns a's quantity of each resource that both lists name.
func first(a, b corev1.ResourceList) corev1.ResourceList {
	return combine(a, b, func(x, _ resource.Quantity) resource.Quantity { return x })
}

func combine(a, b corev1.ResourceList, with func(x, y resource.Quantity) resource.Quantity) corev1.ResourceList {
	both := make(corev1.ResourceList, len(a))
	for name, x := range a {
		if y, found := b[name]; found {
			both[name] = with(x, y)
		}
	}
	return both
}
