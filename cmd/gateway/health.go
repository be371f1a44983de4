// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// newHealthServer serves probes and metrics on one TLS port: the product has no plaintext listener at all.
func newHealthServer(address, certDir string, ready func() error) (metricsserver.Server, error) {
	server, err := metricsserver.NewServer(metricsserver.Options{
		SecureServing: true,
		BindAddress:   address,
		CertDir:       certDir,
		TLSOpts:       []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }},
		ExtraHandlers: map[string]http.Handler{
			"/livez":  healthz.CheckHandler{Checker: healthz.Ping},
			"/readyz": healthz.CheckHandler{Checker: func(*http.Request) error { return ready() }},
		},
	}, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make health server: %w", err)
	}
	return server, nil
}
