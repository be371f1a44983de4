// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Metrics count what the engine does. No label carries an id or anything a person said.
type Metrics struct {
	messages      *prometheus.CounterVec
	conversations prometheus.Counter
	queueFull     prometheus.Counter
	commits       *prometheus.HistogramVec
	batch         prometheus.Histogram
	pages         prometheus.Counter
	readErrors    prometheus.Counter

	online         *prometheus.GaugeVec
	presenceErrors prometheus.Counter
}

// NewMetrics registers the engine's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		messages: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chattenant_messages_total", Help: "Messages committed and acknowledged, by kind of author.",
		}, []string{"author"}),
		conversations: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_conversations_opened_total", Help: "Conversations opened.",
		}),
		queueFull: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_messages_turned_away_total", Help: "Messages refused because the writer's queue was full.",
		}),
		commits: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chattenant_commit_seconds", Help: "Time to commit a batch of messages, by result.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13),
		}, []string{"result"}),
		batch: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chattenant_commit_messages", Help: "Messages per committed batch.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 8),
		}),
		pages: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_event_pages_read_total", Help: "Reads of events from the database for catching up.",
		}),
		readErrors: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_event_read_errors_total", Help: "Reads of events that failed.",
		}),
		online: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chattenant_people_online", Help: "People connected to any replica, as this one knows it, by kind.",
		}, []string{"kind"}),
		presenceErrors: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_presence_errors_total", Help: "Failures to write or read who is connected.",
		}),
	}
}

func (m *Metrics) observePresence(p *presence) {
	for _, kind := range []protocol.Kind{protocol.Visitor, protocol.Agent} {
		m.online.WithLabelValues(string(kind)).Set(float64(p.count(kind)))
	}
}

func (m *Metrics) observeCommit(messages int, d time.Duration, err error) {
	result := "committed"
	if err != nil {
		result = "failed"
	} else {
		m.batch.Observe(float64(messages))
	}
	m.commits.WithLabelValues(result).Observe(d.Seconds())
}
