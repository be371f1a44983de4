// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// betweenFaults is how many messages each conversation must gain before the next fault: the tenant has recovered then.
const betweenFaults = 20

func TestNoAcknowledgedMessageIsLostOrDoubledWhenPodsAreKilled(t *testing.T) {
	tenant := withNeighbour(t)
	people := startLoad(t, neighbour)
	people.goesOn(t, betweenFaults)
	for _, fault := range []struct {
		name, component string
		all             bool
		strike          func(*testing.T, *corev1.Pod)
	}{
		{"a chat server's process is killed", naming.ChatServer, false, killComponent},
		{"a chat server's pod is taken away", naming.ChatServer, false, deleteNow},
		{"PostgreSQL is killed", naming.Postgres, false, killComponent},
		{"PostgreSQL's pod is taken away", naming.Postgres, false, deleteNow},
		{"every chat server is killed at once", naming.ChatServer, true, killComponent},
	} {
		t.Run(fault.name, func(t *testing.T) {
			pods := tenantPods(t, neighbour, fault.component)
			victims := pods[:1]
			if fault.all {
				victims = pods
			}
			for i := range victims {
				fault.strike(t, &victims[i])
			}
			replaced(t, fault.component, len(pods), victims)
			people.goesOn(t, betweenFaults)
		})
	}
	people.stop()
	people.kept(t, newAgent(t, endpoint(t, tenant), tenant))
	awaitReady(t, neighbour)
}

// serverEvery is how often a new database server is looked for: much sooner than one that starts beside another would
// notice and end.
const serverEvery = 20 * time.Millisecond

// TestTwoDatabaseServersNeverShareAVolume takes a database's pod away while its server hangs, as a server does whose
// disk is slow to take the last checkpoint. The API server has forgotten the pod then and lets the next start at once.
func TestTwoDatabaseServersNeverShareAVolume(t *testing.T) {
	t.Parallel()
	tenant := createOnce(t, newTenant("hanging"))
	said := converse(t, tenant.Name, "Is there only one of you")
	old := tenantPods(t, tenant.Name, naming.Postgres)[0]
	signalComponent(t, &old, unix.SIGSTOP)
	deleteNow(t, &old)
	start := time.Now()
	successor := otherPod(t, &old)
	for !serves(t, successor) {
		if time.Since(start) > startPatience {
			t.Fatalf("no new server within %s", startPatience)
		}
		pause(t, serverEvery)
	}
	if serves(t, old.UID) {
		t.Errorf("after %.1f s two servers have the same volume open", time.Since(start).Seconds())
	}
	t.Logf("the new server started %.1f s after the old one's pod was gone", time.Since(start).Seconds())
	c := endpoint(t, tenant)
	eventually(t, startPatience, "visitors are let in again", func(ctx context.Context) error {
		_, err := c.NewVisitor(ctx)
		return err
	})
	said.stillThere(t)
}

// otherPod waits until another pod bears the name of one that was deleted.
func otherPod(t *testing.T, old *corev1.Pod) types.UID {
	t.Helper()
	pod := &corev1.Pod{}
	eventually(t, patience, "another pod takes its place", func(ctx context.Context) error {
		if err := live.Get(ctx, client.ObjectKeyFromObject(old), pod); err != nil {
			return err
		}
		if pod.UID == old.UID {
			return errors.New("it is still the old one")
		}
		return nil
	})
	return pod.UID
}

// killComponent crashes the process that gives a pod its purpose.
func killComponent(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	signalComponent(t, pod, unix.SIGKILL)
}

// replaced waits until none of the victims' containers is among the component's, all of which are ready again.
func replaced(t *testing.T, component string, count int, victims []corev1.Pod) {
	t.Helper()
	var dead []string
	for i := range victims {
		dead = append(dead, containers(&victims[i])...)
	}
	start := time.Now()
	eventually(t, startPatience, "the victims are replaced", func(ctx context.Context) error {
		pods, err := live.runningPods(ctx, naming.Namespace(neighbour), named(component))
		if err != nil || len(pods) != count {
			return errors.Join(err, fmt.Errorf("%d pods run", len(pods)))
		}
		for i := range pods {
			if slices.ContainsFunc(containers(&pods[i]), func(id string) bool { return slices.Contains(dead, id) }) {
				return fmt.Errorf("pod %s still has its old container", pods[i].Name)
			}
			if err := podReady(&pods[i]); err != nil {
				return err
			}
		}
		return nil
	})
	t.Logf("replaced after %.1f s", time.Since(start).Seconds())
}

func containers(pod *corev1.Pod) []string {
	var ids []string
	for _, c := range pod.Status.ContainerStatuses {
		ids = append(ids, c.ContainerID)
	}
	return ids
}

// serves says whether a pod's database server runs. The server's children have titles in place of command lines.
func serves(t *testing.T, pod types.UID) bool {
	t.Helper()
	runs, err := podnet.Runs(pod, func(argv []string) bool {
		return len(argv) > 1 && argv[0] == naming.Postgres && argv[1] == "-D"
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}
