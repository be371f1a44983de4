// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package network wires the machines: a bridge in the control plane is the nodes' network, a routed link leads to the
// outside, and nothing leads to the host or its uplink.
package network

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

const (
	bridge       = "br0"
	outsideLink  = "outside0"
	outsideHost  = "11.22.33.2"
	hostPrefix   = "/32"
	networkWidth = "/24"
)

// Wire connects whatever is not connected yet. pids are the machines' first processes, by machine name.
func Wire(ctx context.Context, pids map[string]int) error {
	controlPlane := pids[topology.ControlPlane]
	if !hasLink(ctx, controlPlane, bridge) {
		// It was just started: what the others are still connected to is a former one, which the kernel may be about to
		// remove.
		if err := unplugAll(ctx, pids); err != nil {
			return err
		}
		if err := batch(ctx, controlPlane, controlPlaneLinks()); err != nil {
			return err
		}
	}
	if err := wireOutside(ctx, controlPlane, pids[topology.Outside]); err != nil {
		return err
	}
	var failures []error
	for _, node := range topology.Nodes() {
		failures = append(failures, wireNode(ctx, controlPlane, pids[node.Name], node))
	}
	return errors.Join(failures...)
}

func unplugAll(ctx context.Context, pids map[string]int) error {
	for name, pid := range pids {
		if name == topology.ControlPlane {
			continue
		}
		if err := unplug(ctx, pid, "eth0"); err != nil {
			return err
		}
	}
	return nil
}

// unplug removes one end of a cable, and with it the other, if it is there.
func unplug(ctx context.Context, pid int, name string) error {
	if !hasLink(ctx, pid, name) {
		return nil
	}
	return batch(ctx, pid, []string{"link del dev " + name})
}

// controlPlaneLinks makes the nodes' network. Services are routed to it so that kube-proxy's rules, which see a packet
// only once it has a route, can redirect what the API server sends to webhooks.
func controlPlaneLinks() []string {
	return []string{
		"link set lo up",
		"link add " + bridge + " type bridge",
		"addr replace " + topology.ControlPlaneAddress + networkWidth + " dev " + bridge,
		"link set " + bridge + " up",
		"route replace " + topology.ServiceCIDR + " dev " + bridge,
	}
}

// wireOutside links the control plane, which routes for the nodes, with the machine that plays the internet.
func wireOutside(ctx context.Context, controlPlane, outside int) error {
	if hasLink(ctx, outside, "eth0") {
		return nil
	}
	if err := link(ctx, controlPlane, outsideLink, outside); err != nil {
		return err
	}
	inside := []string{
		"addr replace " + topology.OutsideGateway + networkWidth + " dev " + outsideLink,
		"link set " + outsideLink + " up",
		"route replace " + topology.MetadataAddress + hostPrefix + " via " + outsideHost,
		"route replace " + topology.SpecialCIDR + " via " + outsideHost,
	}
	if err := batch(ctx, controlPlane, inside); err != nil {
		return err
	}
	beyond := []string{"link set lo up", "addr replace " + outsideHost + networkWidth + " dev eth0"}
	for _, address := range topology.OutsideAddresses() {
		beyond = append(beyond, "addr replace "+address+hostPrefix+" dev lo")
	}
	return batch(ctx, outside, append(beyond, "link set eth0 up", "route replace default via "+topology.OutsideGateway))
}

// wireNode puts a node on the bridge, with the control plane as its gateway, and routes its Pods' range to it.
func wireNode(ctx context.Context, controlPlane, pid int, node topology.Node) error {
	if hasLink(ctx, pid, "eth0") {
		return nil
	}
	if err := link(ctx, controlPlane, node.Name, pid); err != nil {
		return err
	}
	err := batch(ctx, controlPlane, []string{
		"link set " + node.Name + " master " + bridge + " up",
		"route replace " + node.PodCIDR() + " via " + node.Address(),
	})
	if err != nil {
		return err
	}
	return batch(ctx, pid, []string{
		"link set lo up",
		"addr replace " + node.Address() + networkWidth + " dev eth0",
		"link set eth0 up",
		"route replace default via " + topology.ControlPlaneAddress,
	})
}

// link makes a cable between the namespaces of two processes, called name at the near and eth0 at the far end. The near
// end of a former one may still be there if the far machine was just started anew.
func link(ctx context.Context, near int, name string, far int) error {
	if err := unplug(ctx, near, name); err != nil {
		return err
	}
	return ip(ctx, "link", "add", "name", name, "netns", strconv.Itoa(near), "type", "veth",
		"peer", "name", "eth0", "netns", strconv.Itoa(far))
}

func ip(ctx context.Context, argv ...string) error {
	if output, err := exec.CommandContext(ctx, "ip", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(argv, " "), err, output)
	}
	return nil
}

// batch runs ip commands in the namespace of a process.
func batch(ctx context.Context, pid int, commands []string) error {
	command := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--net", "ip", "-batch", "-")
	command.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, output)
	}
	return nil
}

func hasLink(ctx context.Context, pid int, name string) bool {
	show := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--net", "ip", "link", "show", "dev", name)
	return show.Run() == nil
}
