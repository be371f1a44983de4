// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package isolation says, once and as data, which connections of a tenant are open. Everything else is closed.
// The operator renders network policies from it, tests compare what those policies really let through with it, and the
// probes inside each tenant are told by it what to try.
//
// It also holds what the operator and a probe say to each other: Plan and Verdict.
package isolation

import (
	"slices"

	"github.com/chattenant/chattenant/api/naming"
)

// End is one end of a connection: a role that pods of a tenant have, or a peer outside the tenant.
type End string

// Roles, the values of the label chattenant.io/network-role.
const (
	ChatServer End = naming.ChatServer
	Postgres   End = naming.Postgres
	Egress     End = naming.Egress
	// None is any other pod in the tenant's namespace, also one without the label. Nothing is open to it.
	None End = "none"
)

// Peers outside the tenant.
const (
	// IngressGateway is the shared gateway that brings visitors and agents.
	IngressGateway End = "ingress-gateway"
	// ClusterDNS are the pods of the cluster's name service.
	ClusterDNS End = "cluster-dns"
	// Internet is every address that is globally reachable: in one of InternetBlocks.
	Internet End = "internet"
	// Nodes are the machines: a kubelet asks its own pods for their health, which no network policy can refuse.
	Nodes End = "nodes"
)

// Protocol is a transport protocol, in Kubernetes' spelling.
type Protocol string

// Protocols.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// DNSPort is where the pods of the cluster's name service listen.
const DNSPort = 53

// Connection is one kind of connection that is open. Roles at both ends mean pods of the same tenant.
type Connection struct {
	From, To End
	Protocol Protocol
	Port     int32
	// Why says what the connection is for.
	Why string
}

// Shape is what the connections of a tenant depend on.
type Shape struct {
	// Egress says that the tenant has an egress gateway. Without one nothing leaves the tenant.
	Egress bool
	// EgressPorts are the TCP ports on which the tenant's effective recipients listen. Without any nothing is open to the
	// gateway, DNS neither.
	EgressPorts []int32
}

// Roles are those that pods of the tenant have, without None, in a fixed order.
func (s Shape) Roles() []End {
	roles := []End{ChatServer, Postgres}
	if s.Egress {
		roles = append(roles, Egress)
	}
	return roles
}

// Connections are all that is open, in a fixed order. Within a role they are sorted by peer, so that each peer's are
// one rule of a policy.
func (s Shape) Connections() []Connection {
	open := []Connection{
		{IngressGateway, ChatServer, TCP, naming.ChatServerPort, "visitors and agents come through the shared gateway"},
		{ChatServer, Postgres, TCP, naming.PostgresPort, "conversations are stored in the tenant's own database"},
	}
	if !s.Egress {
		return open
	}
	open = append(open, Connection{
		ChatServer, Egress, TCP, naming.EgressPort, "recipients are reached through the tenant's egress gateway",
	})
	if len(s.EgressPorts) == 0 {
		return open
	}
	open = append(open,
		Connection{Egress, ClusterDNS, UDP, DNSPort, "the egress gateway resolves the recipients' names"},
		Connection{Egress, ClusterDNS, TCP, DNSPort, "answers that do not fit into a datagram"})
	for _, port := range s.egressPorts() {
		open = append(open, Connection{Egress, Internet, TCP, port, "a declared recipient listens there"})
	}
	return open
}

func (s Shape) egressPorts() []int32 {
	return slices.Compact(slices.Sorted(slices.Values(s.EgressPorts)))
}

// Allows says whether a connection is open. Both roles are of the same tenant: between two tenants nothing is.
func (s Shape) Allows(from, to End, protocol Protocol, port int32) bool {
	return slices.ContainsFunc(s.Connections(), func(c Connection) bool {
		return c.From == from && c.To == to && c.Protocol == protocol && c.Port == port
	})
}

// Listeners are the TCP ports on which pods of a role listen, health checks included. None listens nowhere.
func Listeners(role End) []int32 {
	switch role {
	case ChatServer:
		return []int32{naming.ChatServerPort, naming.ChatServerHealthPort}
	case Postgres:
		return []int32{naming.PostgresPort}
	case Egress:
		return []int32{naming.EgressPort, naming.EgressHealthPort}
	default:
		return nil
	}
}
