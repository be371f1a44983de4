// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestEveryContainerHasRequestsAndLimitsOfWhatItCouldTakeFromOthers(t *testing.T) {
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		for _, c := range containersOf(pod) {
			requests, limits := c.Resources.Requests, c.Resources.Limits
			if requests.Cpu().IsZero() || requests.Memory().IsZero() || limits.Memory().IsZero() ||
				limits.StorageEphemeral().IsZero() {
				t.Errorf("%s: %+v", c.Name, c.Resources)
			}
			for name, limit := range limits {
				if request := requests[name]; request.Cmp(limit) > 0 {
					t.Errorf("%s: %s request %s is above its limit %s", c.Name, name, request.String(), limit.String())
				}
			}
		}
	})
}

// TestTheQuotaAdmitsARollingUpdateAtItsPeakAndNotOnePodMore adds up what the API server would.
func TestTheQuotaAdmitsARollingUpdateAtItsPeakAndNotOnePodMore(t *testing.T) {
	for _, s := range everyScenario() {
		if s.in.PostgresAddress == "" || s.name == "retained" {
			continue
		}
		hard := find[corev1.ResourceQuota](t, s, "ResourceQuota", "tenant").Spec.Hard
		chat, database := chatServerOf(t, s.name), postgresOf(t, s.name)
		used := corev1.ResourceList{}
		charge(used, database)
		for range 2*s.in.Class.Spec.ChatServer.Replicas + 1 {
			charge(used, chat)
		}
		for range gateways(s) {
			charge(used, egressOf(t, s.name))
		}
		for _, job := range jobsOf(t, s.in) {
			charge(used, job.Spec.Template)
		}
		for name, quantity := range used {
			// A CPU limit that one of the two does not have cannot be bounded: the quota would refuse that one.
			limit, bounded := hard[name]
			if !bounded && name == corev1.ResourceLimitsCPU && oneHasNoCPULimit(chat, database) {
				continue
			}
			if quantity.Cmp(limit) != 0 {
				t.Errorf("%s: %s: the peak uses %s, the quota allows %s", s.name, name, quantity.String(), limit.String())
			}
		}
	}
}

// gateways are the most that a rolling update has at a time.
func gateways(s scenario) int32 {
	if s.in.Egress == nil {
		return 0
	}
	return 2*min(2, s.in.Class.Spec.ChatServer.Replicas) + 1
}

func oneHasNoCPULimit(pods ...corev1.PodTemplateSpec) bool {
	for _, pod := range pods {
		if pod.Spec.Containers[0].Resources.Limits.Cpu().IsZero() {
			return true
		}
	}
	return false
}

// charge adds a pod to what a quota counts. Its init containers run before the others and never ask for more.
func charge(used corev1.ResourceList, pod corev1.PodTemplateSpec) {
	add := func(name corev1.ResourceName, quantity resource.Quantity) {
		total := used[name]
		total.Add(quantity)
		used[name] = total
	}
	add(corev1.ResourcePods, resource.MustParse("1"))
	for _, c := range pod.Spec.Containers {
		for name, quantity := range c.Resources.Requests {
			add("requests."+name, quantity)
		}
		for name, quantity := range c.Resources.Limits {
			add("limits."+name, quantity)
		}
	}
}

func TestTheGoRuntimeIsToldOfItsMemoryLimit(t *testing.T) {
	for scenario, limit := range map[string]int64{"minimal-eu": 128 << 20, "full-us": 256 << 20} {
		c := chatServerOf(t, scenario).Spec.Containers[0]
		got, err := strconv.ParseInt(c.Env[0].Value, 10, 64)
		if c.Env[0].Name != "GOMEMLIMIT" || err != nil {
			t.Fatalf("%s: environment %v: %v", scenario, c.Env, err)
		}
		if got < limit*89/100 || got > limit*90/100 {
			t.Errorf("%s: GOMEMLIMIT = %d, want nine tenths of %d", scenario, got, limit)
		}
	}
}

func TestAClassesResourcesWinOverDefaultsThatContradictThem(t *testing.T) {
	for name, test := range map[string]struct {
		class            *v1alpha1.Resources
		requests, limits corev1.ResourceList
	}{
		"no class":                      {nil, list("25m", "32Mi"), list("", "128Mi")},
		"a request above the default":   {requests("", "1Gi"), list("25m", "1Gi"), list("", "1Gi")},
		"a limit below the default":     {limits("10m", "16Mi"), list("10m", "16Mi"), list("10m", "16Mi")},
		"requests and limits":           {resources("1", "1Mi", "2", "2Mi"), list("1", "1Mi"), list("2", "2Mi")},
		"a limit without a default one": {limits("1", ""), list("25m", "32Mi"), list("1", "128Mi")},
	} {
		in := minimalInput()
		in.Class.Spec.ChatServer.Resources = test.class
		got := chatServerSizes(in)
		// The class has no say in what is left on the node.
		test.requests[corev1.ResourceEphemeralStorage] = resource.MustParse("16Mi")
		test.limits[corev1.ResourceEphemeralStorage] = resource.MustParse("1Gi")
		if diff := cmp.Diff(test.requests, got.requests); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.limits, got.limits); diff != "" {
			t.Errorf("%s: limits (-want +got):\n%s", name, diff)
		}
	}
}

// list leaves out what is empty.
func list(cpu, memory string) corev1.ResourceList {
	out := corev1.ResourceList{}
	if cpu != "" {
		out[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		out[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return out
}

func requests(cpu, memory string) *v1alpha1.Resources {
	return &v1alpha1.Resources{Requests: list(cpu, memory)}
}

func limits(cpu, memory string) *v1alpha1.Resources {
	return &v1alpha1.Resources{Limits: list(cpu, memory)}
}

func TestALimitOfTheChatServerAloneIsNotPutOnTheDatabase(t *testing.T) {
	in := minimalInput()
	in.Class.Spec.ChatServer.Resources = limits("1", "")
	s := scenario{"cpu-limit", in, everything(in)}
	for _, item := range find[corev1.LimitRange](t, s, "LimitRange", "tenant").Spec.Limits {
		if _, found := item.Default[corev1.ResourceCPU]; found {
			t.Errorf("%s: a CPU limit is the default: %v", item.Type, item.Default)
		}
	}
	hard := find[corev1.ResourceQuota](t, s, "ResourceQuota", "tenant").Spec.Hard
	if _, found := hard[corev1.ResourceLimitsCPU]; found {
		t.Errorf("the quota demands a CPU limit that the database has not: %v", hard)
	}
}
