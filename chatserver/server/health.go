// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chattenant/chattenant/chatserver/store"
)

const (
	healthTimeout = 5 * time.Second
	pingTimeout   = 2 * time.Second
)

// readier is the store as far as readiness asks about it.
type readier interface {
	Ready(ctx context.Context) error
}

// health knows whether the server wants visitors.
type health struct {
	// db is set once the schema is migrated and the keys are open.
	db       atomic.Pointer[readier]
	draining atomic.Bool
	// forKeys is set while the key service is what the start waits for.
	forKeys atomic.Bool
}

func (h *health) started(db readier) { h.db.Store(&db) }

// waitFor notes why the store could not be opened yet.
func (h *health) waitFor(err error) { h.forKeys.Store(errors.Is(err, store.ErrKeyService)) }

func (h *health) drain() { h.draining.Store(true) }

var (
	errStarting = errors.New("waiting for the database, its schema and the keys")
	errNoKeys   = errors.New("waiting for the key service: it does not open the tenant's keys, the log says why")
	errDraining = errors.New("draining")
)

func (h *health) ready(ctx context.Context) error {
	if h.draining.Load() {
		return errDraining
	}
	db := h.db.Load()
	switch {
	case db == nil && h.forKeys.Load():
		return errNoKeys
	case db == nil:
		return errStarting
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return (*db).Ready(ctx)
}

// serveHealth answers probes and scrapes until ctx ends.
func (s *Server) serveHealth(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.health.ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	server := &http.Server{
		Handler: mux, ReadTimeout: healthTimeout, WriteTimeout: 2 * healthTimeout, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // TLS errors with addresses in them.
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certs.GetCertificate}
	if err := server.Serve(tls.NewListener(s.options.Health, config)); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("Health listener ended", "err", fmt.Sprint(err))
	}
}
