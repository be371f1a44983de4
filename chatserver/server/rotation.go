// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chattenant/chattenant/chatserver/store"
)

// rotationPolicy is how this replica takes part in the rotation of the tenant's keys, and tells how far it is.
func (s *Server) rotationPolicy() store.RotationPolicy {
	policy := s.options.Rotation
	if policy.Poll == 0 {
		policy = store.DefaultRotationPolicy()
	}
	policy.RotateAfter = s.config.Sealing.RotateAfter()
	policy.Report = newRotationMetrics(s.metrics).report
	return policy
}

// rotationMetrics are as of the last poll; every replica tells the same.
type rotationMetrics struct {
	created, remaining *prometheus.GaugeVec
	subjects           prometheus.Gauge
}

func newRotationMetrics(r prometheus.Registerer) *rotationMetrics {
	f := promauto.With(r)
	return &rotationMetrics{
		created: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chattenant_keyset_created_timestamp_seconds",
			Help: "When the tenant's key came into use that seals, or indexes, now.",
		}, []string{"keyset"}),
		remaining: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chattenant_keyset_rotation_remaining_rows",
			Help: "Rows that still need a key which a rotation is to remove.",
		}, []string{"keyset", "table"}),
		subjects: f.NewGauge(prometheus.GaugeOpts{
			Name: "chattenant_subject_rotations_pending", Help: "Visitors whose own keys are still to be rotated.",
		}),
	}
}

func (m *rotationMetrics) report(status store.RotationStatus) {
	for keyset, since := range status.Since {
		m.created.WithLabelValues(string(keyset)).Set(float64(since.Unix()))
	}
	for keyset, tables := range status.Remaining {
		for table, rows := range tables {
			m.remaining.WithLabelValues(string(keyset), table).Set(float64(rows))
		}
	}
	m.subjects.Set(float64(status.Subjects))
}
