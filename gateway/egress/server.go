// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/accept"
)

// Resolver is the part of [net.Resolver] that is needed.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options is all a [Server] depends on. Every field is required, but drains may take no time.
type Options struct {
	// TLS is how the gateway proves itself and judges its clients now; it is asked for every connection.
	TLS      func() *tls.Config
	Resolver Resolver
	// Dial connects to an address that was checked.
	Dial    DialFunc
	Metrics *Metrics
	Clock   clock.Clock
	Log     logr.Logger

	// DrainDelay goes on accepting after readiness went off, while clients still come. May be zero.
	DrainDelay time.Duration
	// DrainTimeout is how long open connections may end by themselves before they are cut. May be zero.
	DrainTimeout time.Duration
}

// Server is the gateway. Make one with [New], tell it what is declared with [Server.Apply]; it serves once.
type Server struct {
	Options

	policy   atomic.Pointer[policy]
	sessions *sessions
	room     atomic.Int64
	loop     accept.Loop
}

// New returns a server to which nothing is declared yet.
func New(o Options) *Server {
	s := &Server{Options: o, sessions: newSessions(o.Metrics)}
	s.policy.Store(newPolicy(egressconfig.New("", nil)))
	return s
}

// Apply makes a valid configuration the one that counts, for open connections too: those that it does not declare are
// cut. Others go on.
func (s *Server) Apply(config *egressconfig.EgressConfiguration) {
	current := newPolicy(config)
	s.policy.Store(current)
	cut := s.sessions.withdraw(func(live *session) bool { return !current.declares(live.endpoint, live.recipient) })
	s.Metrics.recipients.Set(float64(len(config.Recipients)))
	s.sessions.forgetIdle(current.names)
	s.Log.Info("configuration applied", "recipients", len(config.Recipients), "cut", cut)
}

// Ready is nil while the server accepts connections and means to go on doing so.
func (s *Server) Ready() error { return s.loop.Ready() }

// Serve accepts connections until ctx ends, then drains and returns nil, with nothing left running.
func (s *Server) Serve(ctx context.Context, listener accept.Listener) error {
	return s.loop.Serve(ctx, listener, handler{s}, accept.Options{
		DrainDelay: s.DrainDelay, DrainTimeout: s.DrainTimeout,
		Failed: s.Metrics.acceptErrors.Inc, Clock: s.Clock, Log: s.Log,
	})
}

// errWithdrawn is the cause with which connections end that are declared no longer.
var errWithdrawn = errors.New("declared no longer")
