// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// writes counts requests, so that a tenant at rest can be seen to cost none.
var writes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "chattenant_object_writes_total",
	Help: "Writes to objects of tenants, by kind and verb (apply, takeover, create, delete).",
}, []string{"kind", "verb"})

func init() { metrics.Registry.MustRegister(writes) }
