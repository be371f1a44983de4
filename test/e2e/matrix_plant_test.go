// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// echoPort is where the matrix has every pod of a tenant, and every node, listen on TCP and UDP besides what they do:
// a port that no policy knows, and the only datagrams that they would answer.
const echoPort = 9998

// plantUnselected runs a pod in each tenant's namespace that no narrow policy selects, as one would be that somebody
// else brought there: admission lets the controllers of Kubernetes make one, under the account of a known component.
func plantUnselected(t *testing.T, tenants ...string) {
	t.Helper()
	class := &v1alpha1.ChatTenantClass{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: demoClass}, class); err != nil {
		t.Fatal(err)
	}
	maker, pods := as(t, replicaSets), map[string]*corev1.Pod{}
	for _, tenant := range tenants {
		pod := placedPod()
		pod.Namespace = naming.Namespace(tenant)
		terms(&pod.Spec)[0].MatchExpressions[0].Values = []string{getTenant(t, tenant).Spec.Region}
		pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](0)
		container := &pod.Spec.Containers[0]
		container.Image, container.Command = string(class.Spec.Images.Postgres), []string{"sleep", "infinity"}
		container.SecurityContext.RunAsUser = ptr.To[int64](65532)
		small := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Mi")}
		container.Resources = corev1.ResourceRequirements{Requests: small, Limits: small}
		pod.Labels = map[string]string{temporaryLabel: ""}
		// Probes that run take their part of the quota, and may take it between a look and a try.
		eventually(t, patience, "room for a pod in the quota of "+tenant, func(ctx context.Context) error {
			return maker.Create(ctx, pod)
		})
		removeLater(t, pod)
		pods[tenant] = pod
	}
	for tenant, pod := range pods {
		eventually(t, startPatience, "the unselected pod of "+tenant+" to run", func(ctx context.Context) error {
			if err := live.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
			return podReady(pod)
		})
	}
}

// echoEverywhere has all pods of the tenants, and the nodes, listen on echoPort until the test ends.
func echoEverywhere(t *testing.T, with prober, tenants ...string) {
	t.Helper()
	for _, tenant := range tenants {
		for _, pod := range podsOf(t, tenant, shapeOf(t, tenant)) {
			with.echo(t, pod.Namespace+"/"+pod.Name, inside(t, &pod.Pod))
		}
	}
	for _, node := range nodesIn(t, "") {
		with.echo(t, node, insideNode(t, node))
	}
}

// echo listens inside a namespace until the test ends.
func (p prober) echo(t *testing.T, name string, in *podnet.Namespace) {
	t.Helper()
	port := fmt.Sprint(echoPort)
	command := exec.Command(p.path, "listen", "--tcp", port, "--udp", port) //nolint:noctx // ended below, in order
	told, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Start(command); err != nil {
		t.Fatalf("listen in %s: %v", name, err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(unix.SIGTERM)
		_ = command.Wait()
	})
	// It says a line for each socket once that is open.
	lines := bufio.NewScanner(told)
	for range 2 {
		if !lines.Scan() {
			t.Fatalf("it does not listen in %s: %v", name, lines.Err())
		}
	}
}
