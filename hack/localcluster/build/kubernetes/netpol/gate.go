// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// Chains of the gate, which let new connections of admitted Pods pass. Not ipsets: kube-router reads all sets there
	// are and writes them back later.
	fromChain, toChain = "LOCALCLUSTER-FROM", "LOCALCLUSTER-TO"
	// policedChain is where the firewall has, for every Pod it knows, a rule that names its address.
	policedChain = "KUBE-ROUTER-FORWARD"
	// gatePoll is how often the gate looks for the rules of new Pods, while there are any.
	gatePoll = 50 * time.Millisecond
)

// gate keeps a new Pod from every new connection, in and out, until the firewall has rules for it. The firewall accepts
// what the rules of either end allow, so it alone would let a Pod that it has not seen yet talk to one that it has.
type gate struct {
	node, podCIDR string
	pods          cache.Store
	changes       chan struct{}
	// admitted are the addresses that may pass.
	admitted sets.Set[string]
}

func newGate(node, podCIDR string, pods cache.Store) *gate {
	return &gate{
		node: node, podCIDR: podCIDR, pods: pods, changes: make(chan struct{}, 1), admitted: sets.New[string](),
	}
}

// close puts the gate up, in a table that is looked at before the firewall's. Who was admitted before this process
// started still is: their rules are there.
func (g *gate) close(ctx context.Context) error {
	if _, err := g.reconcile(ctx); err != nil {
		return err
	}
	if err := g.write(ctx, g.admitted); err != nil {
		return err
	}
	for _, rule := range [][]string{
		{"FORWARD", "-s", g.podCIDR, "-m", "conntrack", "--ctstate", "NEW", "-j", fromChain},
		{"FORWARD", "-d", g.podCIDR, "-m", "conntrack", "--ctstate", "NEW", "-j", toChain},
		{"INPUT", "-s", g.podCIDR, "-m", "conntrack", "--ctstate", "NEW", "-j", fromChain},
	} {
		if command(ctx, "", "iptables", append([]string{"-w", "-t", "mangle", "-C"}, rule...)...) == nil {
			continue
		}
		if err := command(ctx, "", "iptables", append([]string{"-w", "-t", "mangle", "-A"}, rule...)...); err != nil {
			return err
		}
	}
	return nil
}

// write replaces the content of both chains at once.
func (g *gate) write(ctx context.Context, admitted sets.Set[string]) error {
	return command(ctx, gateRules(admitted), "iptables-restore", "-w", "--noflush")
}

// gateRules are the chains in the format of iptables-restore, where naming a chain empties it.
func gateRules(admitted sets.Set[string]) string {
	var rules strings.Builder
	fmt.Fprintf(&rules, "*mangle\n:%s - [0:0]\n:%s - [0:0]\n", fromChain, toChain)
	for _, address := range sets.List(admitted) {
		fmt.Fprintf(&rules, "-A %s -s %s/32 -j RETURN\n-A %s -d %s/32 -j RETURN\n", fromChain, address, toChain, address)
	}
	fmt.Fprintf(&rules, "-A %s -j DROP\n-A %s -j DROP\nCOMMIT\n", fromChain, toChain)
	return rules.String()
}

// handler looks again after every event of a Pod of this node.
func (g *gate) handler() cache.ResourceEventHandler {
	return cache.FilteringResourceEventHandler{
		FilterFunc: func(object any) bool {
			pod, isPod := object.(*corev1.Pod)
			return !isPod || pod.Spec.NodeName == g.node
		},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { g.notify() },
			UpdateFunc: func(any, any) { g.notify() },
			DeleteFunc: func(any) { g.notify() },
		},
	}
}

func (g *gate) notify() {
	select {
	case g.changes <- struct{}{}:
	default:
	}
}

// run opens the gate for Pods as their rules appear, and closes it behind those that go, until ctx ends.
func (g *gate) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.changes:
		}
		waiting, err := g.reconcile(ctx)
		if err != nil {
			klog.Errorf("opening the gate: %v", err)
		}
		if waiting || err != nil {
			time.AfterFunc(gatePoll, g.notify)
		}
	}
}

// reconcile admits who has rules and forgets who is gone. waiting says that a Pod has no rules yet.
func (g *gate) reconcile(ctx context.Context) (waiting bool, err error) {
	wanted := g.addresses()
	next := g.admitted.Intersection(wanted)
	missing := wanted.Difference(next)
	if missing.Len() > 0 {
		policed, err := listPoliced(ctx)
		if err != nil {
			return false, err
		}
		next = next.Union(missing.Intersection(policed))
	}
	if !next.Equal(g.admitted) {
		if err := g.write(ctx, next); err != nil {
			return false, err
		}
		g.admitted = next
	}
	return !next.Equal(wanted), nil
}

// listPoliced asks for the firewall's rules. Before its first start there are none.
func listPoliced(ctx context.Context) (sets.Set[string], error) {
	rules, err := exec.CommandContext(ctx, "iptables", "-w", "-S").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the firewall's rules: %w", err)
	}
	return policedAddresses(string(rules)), nil
}

// addresses are those of the Pods on this node that have a network of their own and have not ended.
func (g *gate) addresses() sets.Set[string] {
	addresses := sets.New[string]()
	for _, object := range g.pods.List() {
		pod, isPod := object.(*corev1.Pod)
		if !isPod || pod.Spec.NodeName != g.node || pod.Spec.HostNetwork || pod.Status.PodIP == "" {
			continue
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			addresses.Insert(pod.Status.PodIP)
		}
	}
	return addresses
}

// policedAddresses reads the addresses of Pods from rules that send what comes from them through chains of their own:
// "-A KUBE-ROUTER-FORWARD -s 10.244.1.4/32 -m comment ... -j KUBE-POD-FW-...".
func policedAddresses(rules string) sets.Set[string] {
	addresses := sets.New[string]()
	for line := range strings.Lines(rules) {
		after, fromPod := strings.CutPrefix(line, "-A "+policedChain+" -s ")
		if fromPod && strings.Contains(line, "-j KUBE-POD-FW-") {
			address, _, _ := strings.Cut(after, "/")
			addresses.Insert(address)
		}
	}
	return addresses
}

func command(ctx context.Context, stdin, name string, argv ...string) error {
	run := exec.CommandContext(ctx, name, argv...)
	run.Stdin = strings.NewReader(stdin)
	if output, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(argv, " "), err, output)
	}
	return nil
}
