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
	// policedSet is the set of the addresses of Pods whose rules are in force.
	policedSet = "LOCALCLUSTER-POLICED"
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
}

func newGate(node, podCIDR string, pods cache.Store) *gate {
	return &gate{node: node, podCIDR: podCIDR, pods: pods, changes: make(chan struct{}, 1)}
}

// close puts the gate up. A table that is looked at before the firewall's own has the last word.
func (g *gate) close() error {
	if err := command("ipset", "create", policedSet, "hash:ip", "-exist"); err != nil {
		return err
	}
	for chain, directions := range map[string][]string{"FORWARD": {"src", "dst"}, "INPUT": {"src"}} {
		for _, direction := range directions {
			rule := g.rule(chain, direction)
			if command("iptables", append([]string{"-w", "-t", "mangle", "-C"}, rule...)...) == nil {
				continue
			}
			if err := command("iptables", append([]string{"-w", "-t", "mangle", "-A"}, rule...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *gate) rule(chain, direction string) []string {
	address := map[string]string{"src": "-s", "dst": "-d"}[direction]
	return []string{
		chain, address, g.podCIDR, "-m", "conntrack", "--ctstate", "NEW", "-m", "set", "!", "--match-set", policedSet,
		direction, "-j", "DROP",
	}
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
		waiting, err := g.reconcile()
		if err != nil {
			klog.Errorf("opening the gate: %v", err)
		}
		if waiting || err != nil {
			time.AfterFunc(gatePoll, g.notify)
		}
	}
}

// reconcile makes the set what it should be. waiting says that a Pod has no rules yet.
func (g *gate) reconcile() (waiting bool, err error) {
	admitted, err := admittedAddresses()
	if err != nil {
		return false, err
	}
	wanted := g.addresses()
	for address := range admitted.Difference(wanted) {
		if err := command("ipset", "del", policedSet, address, "-exist"); err != nil {
			return false, err
		}
	}
	missing := wanted.Difference(admitted)
	if missing.Len() == 0 {
		return false, nil
	}
	rules, err := exec.Command("iptables", "-w", "-S", policedChain).Output()
	if err != nil {
		return false, fmt.Errorf("listing the firewall's rules: %w", err)
	}
	policed := policedAddresses(string(rules))
	for address := range missing.Intersection(policed) {
		if err := command("ipset", "add", policedSet, address, "-exist"); err != nil {
			return false, err
		}
	}
	return missing.Difference(policed).Len() > 0, nil
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
		_, after, fromPod := strings.Cut(line, " -s ")
		if fromPod && strings.Contains(line, "-j KUBE-POD-FW-") {
			address, _, _ := strings.Cut(after, "/")
			addresses.Insert(address)
		}
	}
	return addresses
}

// admittedAddresses reads the set.
func admittedAddresses() (sets.Set[string], error) {
	output, err := exec.Command("ipset", "save", policedSet).Output()
	if err != nil {
		return nil, fmt.Errorf("reading the set of addresses: %w", err)
	}
	addresses := sets.New[string]()
	for line := range strings.Lines(string(output)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "add" {
			addresses.Insert(fields[2])
		}
	}
	return addresses, nil
}

func command(name string, argv ...string) error {
	if output, err := exec.Command(name, argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(argv, " "), err, output)
	}
	return nil
}
