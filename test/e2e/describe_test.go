// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// describe says how a tenant stands, for the log of a failed test.
func describe(name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tenant := &v1alpha1.ChatTenant{}
	if err := live.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
		return err.Error()
	}
	var text strings.Builder
	for i := range tenant.Status.Conditions {
		fmt.Fprintln(&text, " ", conditionText(&tenant.Status.Conditions[i]))
	}
	pods := &corev1.PodList{}
	if err := live.List(ctx, pods, client.InNamespace(naming.Namespace(name))); err != nil {
		return err.Error()
	}
	for i := range pods.Items {
		fmt.Fprintf(&text, "  pod %s: %s\n", pods.Items[i].Name, podText(&pods.Items[i]))
	}
	return text.String()
}

func podText(pod *corev1.Pod) string {
	text := string(pod.Status.Phase)
	for _, c := range pod.Status.ContainerStatuses {
		text += fmt.Sprintf(" %s ready=%t restarts=%d", c.Name, c.Ready, c.RestartCount)
		if c.State.Waiting != nil {
			text += " " + c.State.Waiting.Reason
		}
	}
	return text
}
