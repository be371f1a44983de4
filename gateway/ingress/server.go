// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/gateway/accept"
)

// Routes says which tenant owns a name. Lookup is called for every connection, from many goroutines at once; host is in
// lower case and has no trailing dot. Whoever implements it calls [Server.Recheck] after a tenant lost a name.
type Routes interface {
	Lookup(host string) (tenant string, ok bool)
}

// Options is all a [Server] depends on. Every field is required.
type Options struct {
	Config  Config
	Routes  Routes
	Dial    DialFunc
	Metrics *Metrics
	Clock   clock.Clock
	Log     logr.Logger
}

// Server routes TLS connections to tenants. Make one with [New]; it serves once.
type Server struct {
	Options

	admission *admission
	sessions  *sessions
	loop      accept.Loop
}

// New checks the configuration and returns a server that does not serve yet.
func New(o Options) (*Server, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, fmt.Errorf("validate gateway configuration: %w", err)
	}
	return &Server{
		Options:   o,
		admission: newAdmission(o.Config.MaxConnections, o.Config.MaxConnectionsPerSource),
		sessions:  newSessions(o.Config.MaxConnectionsPerTenant, o.Metrics),
	}, nil
}

// Ready is nil while the server accepts connections and means to go on doing so.
func (s *Server) Ready() error { return s.loop.Ready() }

// Serve accepts connections until ctx ends, then drains: readiness goes off, DrainDelay passes, the listener closes,
// open connections get DrainTimeout to end and are then cut. It returns nil after a drain, with nothing left running.
func (s *Server) Serve(ctx context.Context, listener accept.Listener) error {
	return s.loop.Serve(ctx, listener, handler{s}, accept.Options{
		DrainDelay: s.Config.DrainDelay, DrainTimeout: s.Config.DrainTimeout,
		Failed: s.Metrics.acceptErrors.Inc, Clock: s.Clock, Log: s.Log,
	})
}

// Recheck ends every connection of a tenant whose name no longer leads to it, and forgets the tenant when none is left.
// Call it after the routes have changed, never while holding what Lookup needs.
func (s *Server) Recheck(tenant string) {
	for _, session := range s.sessions.of(tenant) {
		if !s.leadsTo(session.host, tenant) {
			session.cancel()
		}
	}
	s.sessions.forgetIdle(tenant)
}

func (s *Server) leadsTo(host, tenant string) bool {
	owner, ok := s.Routes.Lookup(host)
	return ok && owner == tenant
}
