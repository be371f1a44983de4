// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package naming holds the names that more than one component must agree on: what the operator creates, what the
// ingress gateway dials and what the chat server verifies. Names are functions of the tenant's name alone, so no
// component has to trust a field that another one wrote.
package naming

import "strings"

// MaxTenantName is the longest tenant name the API accepts, in bytes. Namespace adds a prefix and the result must stay
// a DNS label (63).
const MaxTenantName = 40

const namespacePrefix = "chat-"

// Names of the fixed objects inside a tenant's namespace.
const (
	// ChatServer names the chat server's Deployment, Service, ServiceAccount and PodDisruptionBudget.
	ChatServer = "chatserver"
	// Postgres names the database's StatefulSet, Service and ServiceAccount.
	Postgres = "postgres"
	// Egress names the egress gateway's Deployment, Service, ServiceAccount, ConfigMap, NetworkPolicy and Certificate.
	Egress = "egress"
	// EgressClient names the Certificate and Secret that the chat server shows to the egress gateway.
	EgressClient = "egress-client"
	// IsolationProbe names the ServiceAccount of the Jobs that try whether the tenant is closed, and their component.
	IsolationProbe = "isolation-probe"
	// EndpointCertificate names the Certificate and Secret with which the tenant's endpoint is served.
	EndpointCertificate = "endpoint"
)

// Ports of a tenant's pods, TCP.
const (
	// ChatServerPort serves visitors and agents over TLS, behind PROXY protocol version 2.
	ChatServerPort = 8443
	// ChatServerHealthPort serves /livez, /readyz and /metrics over TLS.
	ChatServerHealthPort = 9443
	// EgressPort serves CONNECT over mutual TLS.
	EgressPort = 8444
	// EgressHealthPort serves the egress gateway's /livez, /readyz and /metrics over TLS.
	EgressHealthPort = 9443
	// PostgresPort serves PostgreSQL over mutual TLS.
	PostgresPort = 5432
)

// PostgreSQL identities. The role equals the common name of the client certificate.
const (
	DatabaseName = "chat"
	DatabaseRole = "chatserver"
)

// EgressClientName is the common name of the only client certificate that the egress gateway serves.
const EgressClientName = "chatserver"

// Namespace is the namespace that holds everything of one tenant.
func Namespace(tenant string) string { return namespacePrefix + tenant }

// TenantOf is the inverse of Namespace. It answers false for a namespace that no tenant can have.
func TenantOf(namespace string) (string, bool) { return strings.CutPrefix(namespace, namespacePrefix) }

// ServiceHost is the name under which a Service of a tenant is dialled and verified: <service>.<namespace>.svc.
func ServiceHost(tenant, service string) string { return service + "." + Namespace(tenant) + ".svc" }
