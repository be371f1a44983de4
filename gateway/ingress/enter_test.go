// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// movingRoutes leads to its tenants one after the other, one per Lookup.
type movingRoutes struct{ tenants []string }

func (r *movingRoutes) Lookup(string) (string, bool) {
	tenant := r.tenants[0]
	if len(r.tenants) > 1 {
		r.tenants = r.tenants[1:]
	}
	return tenant, tenant != ""
}

func TestANameThatMovesWhileAConnectionEntersRefusesIt(t *testing.T) {
	for name, tenants := range map[string][]string{
		"to another tenant": {"acme", "initech"},
		"to nobody":         {"acme", ""},
	} {
		t.Run(name, func(t *testing.T) {
			metrics := NewMetrics(prometheus.NewRegistry())
			server, err := New(Options{Config: DefaultConfig(), Routes: &movingRoutes{tenants}, Metrics: metrics})
			if err != nil {
				t.Fatal(err)
			}
			if _, result := server.enter("chat.acme.example", func() {}); result != ResultUnknownName {
				t.Errorf("result %s, want %s", result, ResultUnknownName)
			}
			if left := server.sessions.of("acme"); len(left) > 0 {
				t.Errorf("%d sessions left behind", len(left))
			}
		})
	}
}
