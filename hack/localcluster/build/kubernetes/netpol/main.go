// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command netpol enforces NetworkPolicy on one node: kube-router's firewall without its routing and service proxy, and
// a gate that stays closed for a Pod until the firewall knows it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// fullSyncPeriod is how often rules are rewritten without an event: only a repair, events do the work.
const fullSyncPeriod = 5 * time.Minute

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	node := flag.String("node", "", "name of this node")
	pods := flag.String("pod-cidr", "", "addresses of this node's Pods")
	services := flag.String("service-cidr", "10.96.0.0/16", "addresses of Services")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *pods, config(*node, *services)); err != nil {
		klog.Fatal(err)
	}
}

// config is kube-router's configuration for a firewall on IPv4 and nothing else.
func config(node, services string) *options.KubeRouterConfig {
	config := options.NewKubeRouterConfig()
	config.HostnameOverride = node
	config.ClusterIPCIDRs = []string{services}
	config.EnableIPv4 = true
	config.RunFirewall = true
	config.IPTablesSyncPeriod = fullSyncPeriod
	return config
}

// run enforces policies until ctx ends.
func run(ctx context.Context, kubeconfig, podCIDR string, config *options.KubeRouterConfig) error {
	client, err := newClient(kubeconfig)
	if err != nil {
		return err
	}
	iptables, ipsets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return fmt.Errorf("finding iptables and ipset: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced, policies.HasSynced, namespaces.HasSynced) {
		return errors.New("stopped before the first listing was complete")
	}
	gate := newGate(config.HostnameOverride, podCIDR, pods.GetStore())
	if err := gate.close(ctx); err != nil {
		return fmt.Errorf("closing the gate: %w", err)
	}
	firewall, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{},
		iptables, ipsets)
	if err != nil {
		return fmt.Errorf("building the firewall: %w", err)
	}
	for _, each := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{pods, firewall.PodEventHandler},
		{pods, gate.handler()},
		{policies, firewall.NetworkPolicyEventHandler},
		{namespaces, firewall.NamespaceEventHandler},
	} {
		if _, err := each.informer.AddEventHandler(each.handler); err != nil {
			return fmt.Errorf("subscribing to events: %w", err)
		}
	}
	go gate.run(ctx)
	enforce(ctx, firewall)
	return nil
}

// newClient connects with the identity of the kubeconfig.
func newClient(kubeconfig string) (kubernetes.Interface, error) {
	rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return nil, fmt.Errorf("building the client: %w", err)
	}
	return client, nil
}

// enforce runs the firewall until ctx ends. Somebody must read its heartbeats, or it blocks.
func enforce(ctx context.Context, firewall *netpol.NetworkPolicyController) {
	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for beat := range heartbeats {
			klog.V(2).Infof("rules were synchronised at %s", beat.LastHeartBeat)
		}
	}()
	var done sync.WaitGroup
	done.Add(1)
	firewall.Run(heartbeats, ctx.Done(), &done)
	done.Wait()
}
