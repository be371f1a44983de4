// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// upstreamErrorInterval keeps a flood towards one broken tenant from flooding the log as well.
const upstreamErrorInterval = 10 * time.Second

// session is one connection that has been given to a tenant.
type session struct {
	host   string
	tenant *tenant
	// cancel ends the connection, at whatever stage it is.
	cancel context.CancelFunc
}

// tenant is what the gateway keeps of a tenant that has, or lately had, connections.
type tenant struct {
	name     string
	traffic  *traffic
	logError rate.Sometimes
	sessions map[*session]struct{}
}

// sessions is the register of given connections, by tenant.
type sessions struct {
	maxPerTenant int
	metrics      *Metrics

	mu      sync.Mutex
	tenants map[string]*tenant
}

func newSessions(maxPerTenant int, metrics *Metrics) *sessions {
	return &sessions{maxPerTenant: maxPerTenant, metrics: metrics, tenants: map[string]*tenant{}}
}

// join registers a connection, unless the tenant has its full share already.
func (r *sessions) join(host, name string, cancel context.CancelFunc) (*session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tenants[name]
	if t == nil {
		t = &tenant{
			name:     name,
			traffic:  r.metrics.traffic(name),
			logError: rate.Sometimes{Interval: upstreamErrorInterval},
			sessions: map[*session]struct{}{},
		}
		r.tenants[name] = t
	}
	if r.maxPerTenant > 0 && len(t.sessions) >= r.maxPerTenant {
		return nil, false
	}
	s := &session{host: host, tenant: t, cancel: cancel}
	t.sessions[s] = struct{}{}
	t.traffic.active.Inc()
	return s, true
}

// leave ends a session's registration.
func (r *sessions) leave(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(s.tenant.sessions, s)
	s.tenant.traffic.active.Dec()
}

// of lists the sessions of a tenant.
func (r *sessions) of(tenant string) []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tenants[tenant]; t != nil {
		return slices.Collect(maps.Keys(t.sessions))
	}
	return nil
}

// forgetIdle drops what is kept of a tenant without sessions.
func (r *sessions) forgetIdle(tenant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tenants[tenant]; t != nil && len(t.sessions) == 0 {
		delete(r.tenants, tenant)
		r.metrics.forget(tenant)
	}
}
