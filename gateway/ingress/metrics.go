// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Labels of the bytes metric's direction, seen from the gateway.
const (
	directionIn  = "in"  // client to tenant
	directionOut = "out" // tenant to client
)

// Metrics counts what passes. It knows tenants, never clients. Names are a contract: see docs/gateway.md.
type Metrics struct {
	connections  *prometheus.CounterVec
	active       *prometheus.GaugeVec
	bytes        *prometheus.CounterVec
	handshake    prometheus.Histogram
	acceptErrors prometheus.Counter
}

// NewMetrics registers the gateway's metrics. It panics when they are registered already, which is a programming error.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		connections:  prometheus.NewCounterVec(opts("connections_total", "Connections by how they were decided."), []string{"result"}),
		active:       prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("active_connections", "Open connections of a tenant.")), []string{"tenant"}),
		bytes:        prometheus.NewCounterVec(opts("bytes_total", "TLS bytes passed on for a tenant."), []string{"tenant", "direction"}),
		acceptErrors: prometheus.NewCounter(opts("accept_errors_total", "Failed accepts, such as for want of file descriptors.")),
		handshake:    prometheus.NewHistogram(handshakeOpts()),
	}
	for _, result := range results() {
		m.connections.WithLabelValues(string(result))
	}
	registry.MustRegister(m.connections, m.active, m.bytes, m.handshake, m.acceptErrors)
	return m
}

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "chattenant", Subsystem: "gateway_ingress", Name: name, Help: help}
}

func handshakeOpts() prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: "chattenant",
		Subsystem: "gateway_ingress",
		Name:      "handshake_read_seconds",
		Help:      "Time from accepting a connection to its whole ClientHello.",
		Buckets:   []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10},
	}
}

func (m *Metrics) decided(result Result) {
	m.connections.WithLabelValues(string(result)).Inc()
}

// traffic holds one tenant's series, looked up once per tenant instead of once per burst.
type traffic struct {
	active  prometheus.Gauge
	in, out prometheus.Counter
}

func (m *Metrics) traffic(tenant string) *traffic {
	return &traffic{
		active: m.active.WithLabelValues(tenant),
		in:     m.bytes.WithLabelValues(tenant, directionIn),
		out:    m.bytes.WithLabelValues(tenant, directionOut),
	}
}

// forget drops a tenant's series, so that tenants come and go without the exposition growing for ever.
func (m *Metrics) forget(tenant string) {
	m.active.DeleteLabelValues(tenant)
	m.bytes.DeletePartialMatch(prometheus.Labels{"tenant": tenant})
}
