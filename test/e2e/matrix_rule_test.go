// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"slices"

	"github.com/chattenant/chattenant/api/isolation"
)

// peer is one end of a connection, as policies know it: a component, and the tenant it belongs to if any.
type peer struct {
	component, tenant string
}

// ends are the components that the data of package isolation speaks of under another name.
var ends = map[string]isolation.End{gatewayName: isolation.IngressGateway, "kube-dns": isolation.ClusterDNS}

// allowed says whether a connection must work, by the data that the operator renders policies from. The tenants of
// these tests have declared no recipient.
func allowed(from, to peer, port uint16) bool {
	return slices.ContainsFunc(isolation.Shape{}.Connections(), func(c isolation.Connection) bool {
		within := from.tenant == to.tenant || c.From == isolation.IngressGateway
		return c.From == end(from) && c.To == end(to) && c.Port == int32(port) && within
	})
}

func end(p peer) isolation.End { return cmp.Or(ends[p.component], isolation.End(p.component)) }
