// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chattenant/chattenant/chatserver/store"
)

// keyStatus reports on the tenant's keys.
type keyStatus interface{ KeyStatus() store.KeyStatus }

// keyMetrics show how the tenant's keys are, zeros while they were never open.
type keyMetrics struct{ source atomic.Pointer[keyStatus] }

func newKeyMetrics(registry prometheus.Registerer) *keyMetrics {
	m := &keyMetrics{}
	for _, g := range []struct {
		name, help string
		value      func(store.KeyStatus) float64
	}{
		{"chattenant_kek_generation", "Generation of the key-encryption key that wraps the tenant's keysets.",
			func(k store.KeyStatus) float64 { return float64(k.Generation) }},
		{"chattenant_kek_wrapped_timestamp_seconds", "When the tenant's keysets were last wrapped.",
			func(k store.KeyStatus) float64 { return seconds(k.WrappedAt) }},
		{"chattenant_key_service_up", "Whether the key-encryption key opened the tenant's keysets when last asked.",
			func(k store.KeyStatus) float64 { return truth(!k.Confirmed.IsZero() && k.Err == nil) }},
		{"chattenant_key_service_success_timestamp_seconds", "When the key-encryption key last opened the keysets.",
			func(k store.KeyStatus) float64 { return seconds(k.Confirmed) }},
		{"chattenant_keys_locked", "Whether nothing can be sealed or opened until the key service answers.",
			func(k store.KeyStatus) float64 { return truth(k.Locked) }},
	} {
		promauto.With(registry).NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help},
			func() float64 { return g.value(m.status()) })
	}
	return m
}

func (m *keyMetrics) watch(source keyStatus) { m.source.Store(&source) }

func (m *keyMetrics) status() store.KeyStatus {
	if source := m.source.Load(); source != nil {
		return (*source).KeyStatus()
	}
	return store.KeyStatus{Locked: true}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
