// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// pod is what a kubelet says about the memory of a pod.
type pod struct {
	Ref struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"podRef"`
	Containers []struct {
		Name   string `json:"name"`
		Memory struct {
			// WorkingSetBytes is what the kernel could not take away without writing to disk: what limits count.
			WorkingSetBytes int64 `json:"workingSetBytes"`
			// RSSBytes is the part of it that is no cache of files.
			RSSBytes int64 `json:"rssBytes"`
		} `json:"memory"`
	} `json:"containers"`
}

// measure asks every node's kubelet.
func measure(ctx context.Context, client kubernetes.Interface) ([]pod, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var pods []pod
	for i := range nodes.Items {
		name := nodes.Items[i].Name
		answer, err := client.CoreV1().RESTClient().Get().
			Resource("nodes").Name(name).SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask the kubelet of %s: %w", name, err)
		}
		var summary struct {
			Pods []pod `json:"pods"`
		}
		if err := json.Unmarshal(answer, &summary); err != nil {
			return nil, fmt.Errorf("understand the kubelet of %s: %w", name, err)
		}
		pods = append(pods, summary.Pods...)
	}
	return pods, nil
}

// owners names who a namespace's pods work for: a tenant, or the system.
func owners(ctx context.Context, client kubernetes.Interface) (map[string]string, error) {
	namespaces, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: tenantLabel})
	if err != nil {
		return nil, fmt.Errorf("list tenants' namespaces: %w", err)
	}
	owners := map[string]string{systemNamespace: "(shared)"}
	for i := range namespaces.Items {
		owners[namespaces.Items[i].Name] = namespaces.Items[i].Labels[tenantLabel]
	}
	return owners, nil
}
