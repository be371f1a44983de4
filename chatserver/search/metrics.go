// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics tell how far the index is.
type Metrics struct {
	backlog    prometheus.Gauge
	events     prometheus.Counter
	unreadable prometheus.Counter
	failures   prometheus.Counter
}

// NewMetrics registers the search's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		backlog: f.NewGauge(prometheus.GaugeOpts{
			Name: "chattenant_search_backlog_events", Help: "Events that cannot be searched for yet, when last looked.",
		}),
		events: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_search_indexed_events_total", Help: "Events read into the search index.",
		}),
		unreadable: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_search_unreadable_events_total", Help: "Events left out of the search: they did not open.",
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_search_index_errors_total", Help: "Attempts to index that failed.",
		}),
	}
}
