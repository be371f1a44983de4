// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chattenant/chattenant/api/serverconfig"
)

// Pool connects the way the product does: mutual TLS 1.3, durable commits.
func Pool(ctx context.Context, db serverconfig.Database, connections int32) (*pgxpool.Pool, error) {
	const form = "host=%s port=%d dbname=%s user=%s sslmode=verify-full"
	config, err := pgxpool.ParseConfig(fmt.Sprintf(form, db.Host, db.Port, db.Name, db.User))
	if err != nil {
		return nil, fmt.Errorf("configure pool: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(db.TLS.CertFile, db.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load client certificate: %w", err)
	}
	pem, err := os.ReadFile(db.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("read authority: no certificate in it")
	}
	config.MaxConns = connections
	config.ConnConfig.Fallbacks = nil
	config.ConnConfig.RuntimeParams = map[string]string{"synchronous_commit": "on", "timezone": "UTC"}
	config.ConnConfig.TLSConfig = &tls.Config{
		ServerName: db.Host, RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make pool: %w", err)
	}
	return pool, nil
}
