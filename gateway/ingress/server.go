// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

// Routes says which tenant owns a name. Lookup is called for every connection, from many goroutines at once; host is in
// lower case and has no trailing dot. Whoever implements it calls [Server.Recheck] after a tenant lost a name.
type Routes interface {
	Lookup(host string) (tenant string, ok bool)
}

// Listener is the part of [net.TCPListener] the server needs.
type Listener interface {
	AcceptTCP() (*net.TCPConn, error)
	Close() error
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

type state int32

const (
	starting state = iota
	serving
	draining
)

// Server routes TLS connections to tenants. Make one with [New]; it serves once.
type Server struct {
	Options

	admission   *admission
	sessions    *sessions
	state       atomic.Int32
	connections sync.WaitGroup
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
func (s *Server) Ready() error {
	switch state(s.state.Load()) {
	case serving:
		return nil
	case starting:
		return errors.New("waiting for routes")
	case draining:
		return errors.New("draining")
	default:
		return errors.New("unknown state")
	}
}

// Serve accepts connections until ctx ends, then drains: readiness goes off, DrainDelay passes, the listener closes,
// open connections get DrainTimeout to end and are then cut. It returns nil after a drain, with nothing left running.
func (s *Server) Serve(ctx context.Context, listener Listener) error {
	connections, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		s.acceptAll(connections, listener)
	}()
	s.state.Store(int32(serving))
	s.Log.Info("serving")
	select {
	case <-accepted:
		s.state.Store(int32(draining))
		cut()
		s.connections.Wait()
		return fmt.Errorf("accept connections: %w", net.ErrClosed)
	case <-ctx.Done():
	}
	s.drain(listener, accepted, cut)
	return nil
}

func (s *Server) drain(listener Listener, accepted <-chan struct{}, cut context.CancelFunc) {
	s.state.Store(int32(draining))
	s.Log.Info("draining", "delay", s.Config.DrainDelay, "timeout", s.Config.DrainTimeout)
	s.Clock.Sleep(s.Config.DrainDelay)
	_ = listener.Close()
	<-accepted
	ended := make(chan struct{})
	go func() {
		s.connections.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-s.Clock.After(s.Config.DrainTimeout):
		cut()
		<-ended
	}
	s.Log.Info("drained")
}

// acceptAll accepts until the listener is closed. Other errors, such as having no file descriptor left, pass: it backs
// off and goes on, since giving up would turn one tenant's flood into everybody's outage.
func (s *Server) acceptAll(ctx context.Context, listener Listener) {
	backoff := acceptBackoff()
	for {
		client, err := listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.Metrics.acceptErrors.Inc()
			s.pause(ctx, backoff.Step())
			continue
		}
		backoff = acceptBackoff()
		s.admit(ctx, client)
	}
}

func acceptBackoff() wait.Backoff {
	return wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Steps: 9, Cap: time.Second}
}

func (s *Server) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-s.Clock.After(d):
	}
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
