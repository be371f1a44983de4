// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/util/cert"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// errCacheNotSynced is what /readyz answers until every watch has delivered its first list.
var errCacheNotSynced = errors.New("caches are not synchronised yet")

// addHealth serves probes over TLS, with a certificate made at start: the kubelet does not verify it, but nothing of
// the product listens in plain text.
func addHealth(mgr ctrl.Manager, address string) error {
	listener, err := listenTLS(address)
	if err != nil {
		return fmt.Errorf("listen for health probes on %s: %w", address, err)
	}
	synced := make(chan struct{})
	handlers := http.NewServeMux()
	handlers.Handle("/livez", http.StripPrefix("/livez", &healthz.Handler{}))
	handlers.Handle("/readyz", http.StripPrefix("/readyz", &healthz.Handler{Checks: map[string]healthz.Checker{
		"caches": func(*http.Request) error {
			select {
			case <-synced:
				return nil
			default:
				return errCacheNotSynced
			}
		},
	}}))
	if err := mgr.Add(&cacheWaiter{cache: mgr.GetCache(), synced: synced}); err != nil {
		return fmt.Errorf("add cache waiter: %w", err)
	}
	server := &http.Server{Handler: handlers, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	if err := mgr.Add(&manager.Server{Name: "health", Server: server, Listener: listener}); err != nil {
		return fmt.Errorf("add health server: %w", err)
	}
	return nil
}

func listenTLS(address string) (net.Listener, error) {
	certPEM, keyPEM, err := cert.GenerateSelfSignedCertKey("chattenant-operator", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
}
