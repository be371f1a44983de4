// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package topology says what the local cluster consists of: its machines, their addresses and regions.
package topology

import "fmt"

// Names of the machines that are not nodes.
const (
	ControlPlane = "control-plane"
	Outside      = "outside"
)

// Addresses. The networks exist in namespaces of their own only, so they collide with nothing on the host.
const (
	// NodeNetwork is the length-prefixed size of the nodes' network 10.200.0.0/24.
	nodePrefix = "10.200.0"
	// ControlPlaneAddress is where nodes find the API server, and their default gateway.
	ControlPlaneAddress = nodePrefix + ".1"
	// PodCIDR holds every node's Pod range.
	PodCIDR = "10.244.0.0/16"
	// ServiceCIDR is the range of Services.
	ServiceCIDR = "10.96.0.0/16"
	// APIServiceAddress is the first Service's: kubernetes.default.
	APIServiceAddress = "10.96.0.1"
	// DNSServiceAddress is the cluster DNS's.
	DNSServiceAddress = "10.96.0.10"
	// APIPort is the API server's port on the control plane.
	APIPort = 6443
	// IngressNodePort is the NodePort of the ingress gateway's Service, forwarded from the host.
	IngressNodePort = 30443
)

// RegionLabel is set by the administrator; a kubelet may not change it, as it could topology.kubernetes.io/region.
const RegionLabel = "node-restriction.kubernetes.io/region"

// The outside plays the internet. Its network is one of the public internet's, since egress gateways refuse all others;
// the machines have no uplink, so nothing that is sent there leaves them.
const (
	OutsideCIDR    = "11.22.33.0/24"
	OutsideGateway = "11.22.33.1"
	OutsideDNS     = "11.22.33.53"
	// OutsideNames is the name server of OutsideAnswers, a zone whose names hold their own answers.
	OutsideNames   = "11.22.33.54"
	OutsideAnswers = "answers.example"
	// SpecialCIDR is reserved for documentation (RFC 5737). A server in it stands for what must never be a recipient's
	// address.
	SpecialCIDR = "192.0.2.0/24"
	// MetadataAddress is where clouds serve credentials to whatever runs on a machine.
	MetadataAddress = "169.254.169.254"
)

// Node is a machine that runs Pods.
type Node struct {
	// Name is the host name and the name of the Node object.
	Name string
	// Region is the value of RegionLabel.
	Region string
	// Index numbers the node's networks, from 1.
	Index int
}

// Nodes returns the nodes of the cluster, one per region.
func Nodes() []Node {
	return []Node{
		{Name: "eu-1", Region: "eu-central", Index: 1},
		{Name: "us-1", Region: "us-east", Index: 2},
	}
}

// Address is the node's own address.
func (n Node) Address() string { return fmt.Sprintf("%s.%d", nodePrefix, 10+n.Index) }

// PodCIDR is the range of the node's Pods.
func (n Node) PodCIDR() string { return fmt.Sprintf("10.244.%d.0/24", n.Index) }

// Machines returns the names of all machines, in the order in which they start.
func Machines() []string {
	names := []string{ControlPlane, Outside}
	for _, node := range Nodes() {
		names = append(names, node.Name)
	}
	return names
}

// OutsideServer is a server beyond the cluster.
type OutsideServer struct {
	// Name is its DNS name.
	Name string
	// Address is its IPv4 address.
	Address string
}

// OutsideServers returns the servers of the outside. The first also answers for every other name below "example", the
// last has an address in SpecialCIDR.
func OutsideServers() []OutsideServer {
	return []OutsideServer{
		{Name: "any.example", Address: "11.22.33.10"},
		{Name: "crm.example", Address: "11.22.33.11"},
		{Name: "mail.example", Address: "11.22.33.12"},
		{Name: "elsewhere.example", Address: "11.22.33.13"},
		{Name: "special.example", Address: "192.0.2.10"},
	}
}

// OutsideAddresses returns every address that the outside answers on.
func OutsideAddresses() []string {
	addresses := []string{OutsideDNS, OutsideNames, MetadataAddress}
	for _, server := range OutsideServers() {
		addresses = append(addresses, server.Address)
	}
	return addresses
}
