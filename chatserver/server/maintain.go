// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"time"

	"github.com/chattenant/chattenant/chatserver/certfile"
	"github.com/chattenant/chattenant/chatserver/store"
)

const (
	// reloadInterval makes PostgreSQL reread its files in any case; its certificate is renewed weeks before it expires.
	reloadInterval = 3 * time.Hour
	// queryTimeout bounds each piece of maintenance.
	queryTimeout = 10 * time.Second
)

// maintain keeps the database's certificate fresh and deletes what has expired.
func (s *Server) maintain(ctx context.Context, db *store.Store) {
	// The client certificate is renewed when the database's is.
	ticker := s.clock.NewTicker(s.options.CertificatePoll)
	defer ticker.Stop()
	seen := s.databaseCertificates(nil)
	reloaded := s.clock.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		current := s.databaseCertificates(seen)
		if bytes.Equal(current, seen) && s.clock.Since(reloaded) < reloadInterval {
			continue
		}
		seen, reloaded = current, s.clock.Now()
		s.try(ctx, "Cannot make PostgreSQL reread its files", db.ReloadServer)
		s.try(ctx, "Cannot delete expired rows", db.DeleteExpired)
	}
}

// databaseCertificates identifies the files' content, or is what was known if they cannot be read now.
func (s *Server) databaseCertificates(known []byte) []byte {
	files := s.config.Database
	sum, err := certfile.Fingerprint(files.TLS.CertFile, files.TLS.KeyFile, files.CAFile)
	if err != nil {
		s.log.Error("Cannot read the database certificates", "err", err)
		return known
	}
	return sum
}

func (s *Server) try(ctx context.Context, complaint string, task func(context.Context) error) {
	bounded, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := task(bounded); err != nil && ctx.Err() == nil {
		s.log.Error(complaint, "err", err)
	}
}
