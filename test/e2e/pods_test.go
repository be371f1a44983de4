// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// runningPods lists the pods of a namespace that run and are not on their way out, by name.
func runningPods(t *testing.T, namespace string, selector ...client.ListOption) []corev1.Pod {
	t.Helper()
	pods, err := live.runningPods(t.Context(), namespace, selector...)
	if err != nil {
		t.Fatalf("list pods of %s: %v", namespace, err)
	}
	return pods
}

func (c *cluster) runningPods(
	ctx context.Context, namespace string, selector ...client.ListOption,
) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := c.List(ctx, list, append(selector, client.InNamespace(namespace))...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || !pod.DeletionTimestamp.IsZero()
	}), nil
}

// named selects the pods of one component.
func named(component string) client.MatchingLabels {
	return client.MatchingLabels{v1alpha1.LabelName: component}
}

// tenantPods lists a tenant's running pods of one component, of which there must be some.
func tenantPods(t *testing.T, tenant, component string) []corev1.Pod {
	t.Helper()
	pods := runningPods(t, naming.Namespace(tenant), named(component))
	if len(pods) == 0 {
		t.Fatalf("tenant %s has no running %s", tenant, component)
	}
	return pods
}

// awaitSettled waits until every pod of a component is ready and none is on its way out: a client might meet one that
// was just taken out of its Service.
func awaitSettled(t *testing.T, tenant, component string) {
	t.Helper()
	eventually(t, startPatience, "the pods of "+component+" to settle", func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := live.List(ctx, list, named(component), client.InNamespace(naming.Namespace(tenant))); err != nil {
			return err
		}
		for i := range list.Items {
			if pod := &list.Items[i]; !pod.DeletionTimestamp.IsZero() {
				return fmt.Errorf("pod %s is on its way out", pod.Name)
			} else if err := podReady(pod); err != nil {
				return err
			}
		}
		return nil
	})
}

// operatorPods lists the operator's running pods, of which there must be some.
func operatorPods(t *testing.T) []corev1.Pod {
	t.Helper()
	pods := runningPods(t, systemNamespace, named(operatorAccount))
	if len(pods) == 0 {
		t.Fatal("no operator runs")
	}
	return pods
}

// inside enters the network namespace of a pod until the test ends.
func inside(t *testing.T, pod *corev1.Pod) *podnet.Namespace {
	t.Helper()
	namespace, err := podnet.OfPod(pod.UID)
	if err != nil {
		t.Fatalf("enter pod %s/%s: %v", pod.Namespace, pod.Name, err)
	}
	t.Cleanup(func() { _ = namespace.Close() })
	return namespace
}

// insideNode enters the network namespace of a node until the test ends.
func insideNode(t *testing.T, name string) *podnet.Namespace {
	t.Helper()
	namespace, err := podnet.OfNode(name)
	if err != nil {
		t.Fatalf("enter node %s: %v", name, err)
	}
	t.Cleanup(func() { _ = namespace.Close() })
	return namespace
}

// signalComponent signals the process that gives a pod its purpose.
func signalComponent(t *testing.T, pod *corev1.Pod, signal unix.Signal) {
	t.Helper()
	component := pod.Labels[v1alpha1.LabelName]
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name != component {
			continue
		}
		if err := podnet.SignalContainer(status.ContainerID, signal); err != nil {
			t.Fatalf("signal %s of pod %s: %v", component, pod.Name, err)
		}
		return
	}
	t.Fatalf("pod %s has no container %s", pod.Name, component)
}

// deleteNow takes a pod away without giving it time to stop, as the loss of a node does.
func deleteNow(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	err := live.Delete(t.Context(), pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	if err != nil {
		t.Fatalf("delete pod %s: %v", pod.Name, err)
	}
}

// service reads a Service that must exist.
func service(t *testing.T, namespace, name string) *corev1.Service {
	t.Helper()
	found := &corev1.Service{}
	if err := live.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, found); err != nil {
		t.Fatalf("read service %s/%s: %v", namespace, name, err)
	}
	return found
}

// secret reads a Secret that must exist. The tests are the administrator; the product has no such right.
func secret(t *testing.T, namespace, name string) *corev1.Secret {
	t.Helper()
	found := &corev1.Secret{}
	if err := live.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, found); err != nil {
		t.Fatalf("read secret %s/%s: %v", namespace, name, err)
	}
	return found
}

// podReady says whether a pod is Ready, as an error for polling.
func podReady(pod *corev1.Pod) error {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("pod %s is not ready: %s", pod.Name, podText(pod))
}

// object is the metadata of a new object of the tests' own.
func object(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: ownPrefix + name}
}
