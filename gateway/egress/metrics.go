// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

// Labels of the bytes metric's direction.
const (
	directionSent     = "sent"     // chat server to recipient
	directionReceived = "received" // recipient to chat server
)

func opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "chattenant", Subsystem: "egress", Name: name, Help: help}
}

func counterOpts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts(opts(name, help))
}

func gaugeOpts(name, help string) prometheus.GaugeOpts { return prometheus.GaugeOpts(opts(name, help)) }

// Metrics counts what passes, by recipient. Names are a contract: see docs/gateway.md.
type Metrics struct {
	decisions     *prometheus.CounterVec
	active        *prometheus.GaugeVec
	bytes         *prometheus.CounterVec
	lastUsed      *prometheus.GaugeVec
	connect       prometheus.Histogram
	acceptErrors  prometheus.Counter
	recipients    prometheus.Gauge
	configOK      *prometheus.GaugeVec
	configInfo    *prometheus.GaugeVec
	configChanges prometheus.Counter
}

// NewMetrics registers the gateway's metrics. It panics when they are registered already, which is a programming error.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		decisions: prometheus.NewCounterVec(counterOpts("connections_total",
			"Connections by how they were decided."), []string{"result"}),
		active: prometheus.NewGaugeVec(gaugeOpts("active_connections",
			"Open connections of a recipient."), []string{"recipient"}),
		bytes: prometheus.NewCounterVec(counterOpts("bytes_total",
			"TLS bytes passed on."), []string{"recipient", "direction"}),
		lastUsed: prometheus.NewGaugeVec(gaugeOpts("last_used_timestamp_seconds",
			"When bytes last passed to or from a recipient."), []string{"recipient"}),
		connect: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "chattenant", Subsystem: "egress", Name: "connect_seconds",
			Help:    "Time from accepting a connection to its recipient's taking it.",
			Buckets: []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		acceptErrors: prometheus.NewCounter(counterOpts("accept_errors_total",
			"Failed accepts, such as for want of file descriptors.")),
		recipients: prometheus.NewGauge(gaugeOpts("recipients", "Recipients that are effective now.")),
		configOK: prometheus.NewGaugeVec(gaugeOpts("configuration_ok",
			"1 when the file was usable as last read, 0 when what it held before is still in force."), []string{"file"}),
		configInfo: prometheus.NewGaugeVec(gaugeOpts("configuration_info",
			"1 for the digest of the configuration in force."), []string{"digest"}),
		configChanges: prometheus.NewCounter(counterOpts("configuration_changes_total",
			"Configurations that came into force.")),
	}
	for _, result := range results() {
		m.decisions.WithLabelValues(string(result))
	}
	registry.MustRegister(m.decisions, m.active, m.bytes, m.lastUsed, m.connect, m.acceptErrors, m.recipients,
		m.configOK, m.configInfo, m.configChanges)
	return m
}

func (m *Metrics) decided(result Result) { m.decisions.WithLabelValues(string(result)).Inc() }

// configured notes that a configuration came into force.
func (m *Metrics) configured(digest string) {
	m.configInfo.Reset()
	m.configInfo.WithLabelValues(digest).Set(1)
	m.configChanges.Inc()
}

// usable notes whether a file was usable as last read.
func (m *Metrics) usable(file string, ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	m.configOK.WithLabelValues(file).Set(value)
}

// traffic holds one recipient's series.
type traffic struct {
	active, lastUsed prometheus.Gauge
	sent, received   prometheus.Counter
}

func (m *Metrics) traffic(recipient string) *traffic {
	return &traffic{
		active:   m.active.WithLabelValues(recipient),
		lastUsed: m.lastUsed.WithLabelValues(recipient),
		sent:     m.bytes.WithLabelValues(recipient, directionSent),
		received: m.bytes.WithLabelValues(recipient, directionReceived),
	}
}

// forget drops a recipient's series.
func (m *Metrics) forget(recipient string) {
	m.active.DeleteLabelValues(recipient)
	m.lastUsed.DeleteLabelValues(recipient)
	m.bytes.DeletePartialMatch(prometheus.Labels{"recipient": recipient})
}

// tally counts one direction of one connection, for the metric and for the log line.
type tally struct {
	metric   prometheus.Counter
	lastUsed prometheus.Gauge
	clock    clock.PassiveClock
	bytes    atomic.Int64
}

// Add implements [relay.Counter].
func (t *tally) Add(n float64) {
	if n == 0 {
		return
	}
	t.metric.Add(n)
	t.bytes.Add(int64(n))
	t.lastUsed.Set(float64(t.clock.Now().Unix()))
}
