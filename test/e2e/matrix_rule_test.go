// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import "github.com/chattenant/chattenant/api/naming"

// peer is one end of a connection, as policies know it: a component, and the tenant it belongs to if any.
type peer struct {
	component, tenant string
}

// allowance is a connection that must work. Everything that is not one must not.
type allowance struct {
	why      string
	from, to string
	port     uint16
	// within says that both ends belong to the same tenant.
	within bool
}

// allowances is the whole of what the isolation of tenants leaves open.
var allowances = []allowance{
	{why: "a chat server stores conversations", from: naming.ChatServer, to: naming.Postgres,
		port: naming.PostgresPort, within: true},
	{why: "the gateway brings visitors and agents", from: gatewayName, to: naming.ChatServer,
		port: naming.ChatServerPort},
}

// allowed says whether a connection must work.
func allowed(from, to peer, port uint16) bool {
	for _, a := range allowances {
		if a.from == from.component && a.to == to.component && a.port == port && (!a.within || from.tenant == to.tenant) {
			return true
		}
	}
	return false
}
