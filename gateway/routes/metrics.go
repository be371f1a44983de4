// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes

import "github.com/prometheus/client_golang/prometheus"

// Register exposes the size of the table, so that "no routes" can raise an alert. It panics when called twice for one
// registry.
func (t *Table) Register(registry prometheus.Registerer) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "chattenant",
		Subsystem: "gateway_ingress",
		Name:      "routes",
		Help:      "Host names that lead to a tenant.",
	}, func() float64 { return float64(t.Hosts()) }))
}
