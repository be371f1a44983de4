// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
)

// betweenFaults is how many messages each conversation must gain before the next fault: the tenant has recovered then.
const betweenFaults = 20

func TestNoAcknowledgedMessageIsLostOrDoubledWhenPodsAreKilled(t *testing.T) {
	tenant := withNeighbour(t)
	people := startLoad(t, neighbour)
	people.goesOn(t, betweenFaults)
	for _, fault := range []struct {
		name, component string
		strike          func(*testing.T, *corev1.Pod)
	}{
		{"a chat server's process is killed", naming.ChatServer, killComponent},
		{"a chat server's pod is taken away", naming.ChatServer, deleteNow},
		{"PostgreSQL is killed", naming.Postgres, killComponent},
		{"PostgreSQL's pod is taken away", naming.Postgres, deleteNow},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.strike(t, &tenantPods(t, neighbour, fault.component)[0])
			people.goesOn(t, betweenFaults)
		})
	}
	t.Run("every chat server is killed at once", func(t *testing.T) {
		for _, pod := range tenantPods(t, neighbour, naming.ChatServer) {
			killComponent(t, &pod)
		}
		people.goesOn(t, betweenFaults)
	})
	people.stop()
	people.kept(t, newAgent(t, endpoint(t, tenant), tenant))
	awaitReady(t, neighbour)
}

// killComponent crashes the process that gives a pod its purpose.
func killComponent(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	killContainer(t, pod, pod.Labels["app.kubernetes.io/name"])
}
