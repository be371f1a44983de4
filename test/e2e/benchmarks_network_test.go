// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// noNetworkBetweenTenants connects from each pod of three tenants, two of them on one node, to every pod and Service of
// the others. The whole matrix, with everything else that there is to reach, is a test of its own.
func noNetworkBetweenTenants(t *testing.T, tr *trial) {
	withNeighbour(t)
	with := newProber(t)
	tenants := []string{acme, globex, neighbour}
	var targets []target
	eventually(t, patience, "every pod and Service of the tenants answers somebody", func(context.Context) error {
		targets = tenantTargets(t, tenants...)
		if silent := unanswered(t, with, controlSources(t), targets); len(silent) > 0 {
			return fmt.Errorf("nobody reaches %v: that tenants do not proves nothing", silent)
		}
		return nil
	})
	probes := slices.DeleteFunc(pairs(tenantSources(t, tenants...), targets), func(p probe) bool {
		return p.from.tenant == p.to.tenant
	})
	tryAll(t, with, probes)
	for i := range probes {
		if p := &probes[i]; p.verdict.isClosed() {
			tr.row.refused("")
		} else {
			tr.row.otherwise("")
			t.Errorf("must be closed: %s", p)
		}
	}
}
