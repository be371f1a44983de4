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

const (
	namespace = "chattenant"
	subsystem = "gateway_ingress"
)

var (
	connectionsOpts = prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "connections_total",
		Help: "Connections by how they were decided.",
	}
	activeOpts = prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "active_connections",
		Help: "Open connections of a tenant.",
	}
	bytesOpts = prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "bytes_total",
		Help: "TLS bytes passed on for a tenant.",
	}
	acceptErrorsOpts = prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "accept_errors_total",
		Help: "Failed accepts, such as for want of file descriptors.",
	}
	handshakeOpts = prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "handshake_read_seconds",
		Help:    "Time from accepting a connection to its whole ClientHello.",
		Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10},
	}
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
		connections:  prometheus.NewCounterVec(connectionsOpts, []string{"result"}),
		active:       prometheus.NewGaugeVec(activeOpts, []string{"tenant"}),
		bytes:        prometheus.NewCounterVec(bytesOpts, []string{"tenant", "direction"}),
		acceptErrors: prometheus.NewCounter(acceptErrorsOpts),
		handshake:    prometheus.NewHistogram(handshakeOpts),
	}
	for _, result := range results() {
		m.connections.WithLabelValues(string(result))
	}
	registry.MustRegister(m.connections, m.active, m.bytes, m.handshake, m.acceptErrors)
	return m
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
