// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/cache"
)

const rules = `-N KUBE-ROUTER-FORWARD
-A KUBE-ROUTER-FORWARD -s 10.244.1.4/32 -m comment --comment "rule to jump traffic from POD" -j KUBE-POD-FW-AAAA
-A KUBE-ROUTER-FORWARD -d 10.244.1.5/32 -m comment --comment "rule to jump traffic destined to POD" -j KUBE-POD-FW-BBBB
-A KUBE-ROUTER-FORWARD -s 10.244.1.6/32 -j ACCEPT
-A KUBE-ROUTER-OUTPUT -s 10.244.1.7/32 -j KUBE-POD-FW-CCCC
`

func TestAPodIsPolicedOnceWhatItSendsGoesThroughAChainOfItsOwn(t *testing.T) {
	if got := policedAddresses(rules); !got.Equal(sets.New("10.244.1.4")) {
		t.Errorf("policed: %v", sets.List(got))
	}
}

func TestTheGateLetsNobodyPassButThoseAdmitted(t *testing.T) {
	const want = `*mangle
:LOCALCLUSTER-FROM - [0:0]
:LOCALCLUSTER-TO - [0:0]
-A LOCALCLUSTER-FROM -s 10.244.1.4/32 -j RETURN
-A LOCALCLUSTER-TO -d 10.244.1.4/32 -j RETURN
-A LOCALCLUSTER-FROM -j DROP
-A LOCALCLUSTER-TO -j DROP
COMMIT
`
	if got := gateRules(sets.New("10.244.1.4")); got != want {
		t.Errorf("rules are\n%s", got)
	}
}

func pod(name, node, address string, change func(*corev1.Pod)) *corev1.Pod {
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{NodeName: node},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address},
	}
	change(made)
	return made
}

func TestTheGateKnowsTheAddressesOfItsOwnNodesLivePods(t *testing.T) {
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	for _, each := range []*corev1.Pod{
		pod("here", "eu-1", "10.244.1.4", func(*corev1.Pod) {}),
		pod("elsewhere", "us-1", "10.244.2.4", func(*corev1.Pod) {}),
		pod("host", "eu-1", "10.200.0.11", func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		pod("ended", "eu-1", "10.244.1.5", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		pod("starting", "eu-1", "", func(*corev1.Pod) {}),
	} {
		if err := store.Add(each); err != nil {
			t.Fatal(err)
		}
	}
	if got := newGate("eu-1", "10.244.1.0/24", store).addresses(); !got.Equal(sets.New("10.244.1.4")) {
		t.Errorf("addresses: %v", sets.List(got))
	}
}
