// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command footprint prints the memory that the operator, the ingress gateway and each tenant's pods hold, as their
// kubelets measure it. Run it on a cluster at rest, some minutes after the last change: what a process held while it
// started tells little.
//
//	go run ./hack/footprint
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	systemNamespace = "chattenant-system"
	// tenantLabel marks the namespaces of tenants.
	tenantLabel = "chattenant.io/tenant"
	clusters    = "hack/localcluster/cluster.sh"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "footprint:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := connect(ctx)
	if err != nil {
		return err
	}
	measured, err := measure(ctx, client)
	if err != nil {
		return err
	}
	owners, err := owners(ctx, client)
	if err != nil {
		return err
	}
	return writeTable(os.Stdout, measured, owners)
}

// connect uses KUBECONFIG, or else asks the local cluster's script.
func connect(ctx context.Context) (kubernetes.Interface, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		out, err := exec.CommandContext(ctx, clusters, "kubeconfig").Output()
		if err != nil {
			return nil, fmt.Errorf("find the cluster: %w", err)
		}
		path = strings.TrimSpace(string(out))
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("build client: %w", err)
	}
	return client, nil
}
