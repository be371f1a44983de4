// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package server assembles a tenant's chat server and runs it: start, health, and a stop that loses nothing.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile"
	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/search"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/trust"
)

// Options are a server's surroundings.
type Options struct {
	// Public and Health are listened on; both are closed when Run returns.
	Public, Health net.Listener
	// Site serves the pages.
	Site   http.Handler
	Limits edge.Limits
	Timing edge.Timing
	// CertificatePoll, TrustPoll and ReplicaPoll are how long a renewed certificate, a new trust document and a lost
	// notification may go unnoticed.
	CertificatePoll, TrustPoll, ReplicaPoll time.Duration
	// Rotation says how keys are rotated; when is configured. The zero value is the usual way.
	Rotation store.RotationPolicy
	Logger   *slog.Logger
}

// Server is one replica of a tenant's chat server.
type Server struct {
	config  *serverconfig.ChatServerConfiguration
	options Options
	log     *slog.Logger
	clock   clock.WithTickerAndDelayedExecution
	certs   *certfile.Reloader
	trust   *trust.Publisher
	metrics *prometheus.Registry
	health  *health
	keys    *keyMetrics
}

// New prepares a server. It fails if the endpoint's certificate cannot be read.
func New(config *serverconfig.ChatServerConfiguration, options Options) (*Server, error) {
	s := &Server{
		config: config, options: options, log: options.Logger,
		clock: clock.RealClock{}, metrics: prometheus.NewRegistry(), health: &health{},
	}
	var err error
	if s.certs, err = certfile.NewReloader(config.TLS, s.clock, s.log); err != nil {
		return nil, err
	}
	s.trust = trust.NewPublisher(config.TrustFile, config.Endpoint.Host, s.clock, s.log)
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	promauto.With(s.metrics).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "chattenant_certificate_expiry_timestamp_seconds", Help: "When the endpoint's certificate expires.",
	}, func() float64 { return float64(s.certs.NotAfter().Unix()) })
	s.keys = newKeyMetrics(s.metrics)
	return s, nil
}

// Run serves until ctx ends, then drains within the configured time. A database that is not there yet is waited for;
// an error that waiting cannot mend is returned.
func (s *Server) Run(ctx context.Context) error {
	// Health and certificates outlive ctx: probes want an answer while the server drains.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { s.certs.Run(background, s.options.CertificatePoll) })
	wg.Go(func() { s.trust.Run(background, s.options.TrustPoll) })
	wg.Go(func() { s.serveHealth(background) })
	db, err := s.openStore(ctx)
	if err != nil {
		return errors.Join(err, s.options.Public.Close())
	}
	defer db.Close()
	s.keys.watch(db)
	wg.Go(func() { db.WatchKeys(background) })
	wg.Go(func() { s.maintain(background, db) })
	wg.Go(func() { db.RunRotations(background, s.rotationPolicy()) })
	return s.serve(ctx, background, db)
}

// serve runs the engine and the edge on an open store.
func (s *Server) serve(ctx, background context.Context, db *store.Store) error {
	engine, err := conversation.New(ctx, conversation.Config{
		Store: db, Clock: s.clock, Logger: s.log, Metrics: conversation.NewMetrics(s.metrics),
		PollInterval: s.options.ReplicaPoll,
	})
	if err != nil {
		return errors.Join(err, s.options.Public.Close())
	}
	front, err := s.newEdge(db, engine)
	if err != nil {
		return errors.Join(err, s.options.Public.Close())
	}
	working, stopWorking := context.WithCancel(background)
	serving, stopServing := context.WithCancel(background)
	defer stopServing()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopWorking()
	wg.Go(func() { engine.Run(working) })
	wg.Go(func() { search.NewIndexer(db, s.clock, s.log, search.NewMetrics(s.metrics)).Run(working) })
	ended := make(chan error, 1)
	go func() { ended <- front.Serve(serving, s.options.Public, s.certs.GetCertificate) }()
	s.health.started(db)
	s.log.Info("Serving", "tenant", s.config.Tenant.Name, "host", s.config.Endpoint.Host, "replica", db.Replica())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		s.drain(background, front)
		stopServing()
		return <-ended
	}
}

func (s *Server) newEdge(db *store.Store, engine *conversation.Engine) (*edge.Server, error) {
	people, err := identity.NewService(db)
	if err != nil {
		return nil, err
	}
	t := s.config.Tenant
	return edge.NewServer(edge.Config{
		Host: s.config.Endpoint.Host, AllowedOrigins: s.config.Endpoint.AllowedOrigins,
		Info: protocol.Info{
			Protocol: protocol.Version, DisplayName: t.DisplayName, PolicyURL: t.PolicyURL,
			Region: protocol.Region{
				Name: t.Region.Name, DisplayName: t.Region.DisplayName, Jurisdiction: t.Region.Jurisdiction,
			},
		},
		Identity: people, Engine: engine, Search: search.NewService(db), Site: s.options.Site, Trust: s.trust,
		Limits: s.options.Limits, Timing: s.options.Timing,
		Clock: s.clock, Logger: s.log, Metrics: edge.NewMetrics(s.metrics),
	}), nil
}

const (
	firstRetry  = time.Second
	longestWait = 15 * time.Second
)

// openStore opens the database, waiting for one that is not there yet.
func (s *Server) openStore(ctx context.Context) (*store.Store, error) {
	keys, err := kek.Open(s.config.Sealing, s.config.Egress)
	if err != nil {
		return nil, err
	}
	config := store.Config{
		Database: s.config.Database, Tenant: s.config.Tenant.Name, Keys: keys, KeyCache: s.config.Sealing.CacheTime(),
		Logger: s.log, Clock: s.clock,
	}
	for wait := firstRetry; ; wait = min(2*wait, longestWait) {
		db, err := store.Open(ctx, config)
		if err == nil || errors.Is(err, store.ErrMisconfigured) {
			return db, err
		}
		s.health.waitFor(err)
		s.log.Error("Cannot open the database yet", "err", err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("stopped before the database could be opened: %w", err)
		case <-s.clock.After(wait/2 + rand.N(wait/2)): //nolint:gosec // Spreads load, hides nothing.
		}
	}
}

const (
	// Endpoints are updated while the server already stops: it goes on answering for a moment.
	propagation = 2 * time.Second
	longestSpan = 5 * time.Second
)

// drain sends everyone to the other replicas within the configured time.
func (s *Server) drain(ctx context.Context, front *edge.Server) {
	budget := s.config.DrainTimeout()
	s.log.Info("Draining", "seconds", s.config.DrainSeconds)
	s.health.drain()
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-s.clock.After(min(propagation, budget/8)):
	}
	front.Drain(ctx, min(longestSpan, budget/3))
	s.log.Info("Drained")
}
