// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package store keeps a tenant's data in PostgreSQL. Everything personal is sealed on its way in and opened on its way
// out, so neither the database nor its backups ever hold it in the clear, and no other package handles ciphertext.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/tink"
	"k8s.io/utils/lru"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
)

var (
	// ErrNotFound says that there is no such row, or none for this caller to know of.
	ErrNotFound = errors.New("not found")
	// ErrNotAuthor says that a message is somebody else's.
	ErrNotAuthor = errors.New("not the author")
	// ErrMisconfigured says that trying again cannot help: another tenant's database, another key.
	ErrMisconfigured = errors.New("misconfigured")
)

// Config says where the database is and with which keys to seal.
type Config struct {
	Database serverconfig.Database
	// Tenant is part of the associated data of everything sealed.
	Tenant string
	// KEK wraps the tenant's keysets; KEKGeneration is recorded beside them.
	KEK           tink.AEAD
	KEKGeneration int64
	Logger        *slog.Logger
}

// Store is the tenant's database. Safe for concurrent use.
type Store struct {
	config   Config
	pool     *pgxpool.Pool
	keys     *seal.Tenant
	subjects *lru.Cache
	// replica marks this process's own notifications.
	replica uuid.UUID
}

// cachedSubjects bounds the open subject keys kept in memory, about 1 KiB each.
const cachedSubjects = 4096

// Open connects, verifies that the connection is TLS, migrates the schema and opens the keys. An error that is
// ErrMisconfigured stays until someone acts; any other may pass.
func Open(ctx context.Context, config Config) (*Store, error) {
	pool, err := newPool(ctx, config.Database)
	if err != nil {
		return nil, err
	}
	s := &Store{config: config, pool: pool, subjects: lru.New(cachedSubjects), replica: uuid.New()}
	if err := s.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if err := Migrate(ctx, s.config.Database, s.config.Logger); err != nil {
		return err
	}
	if err := s.claimInstance(ctx); err != nil {
		return err
	}
	return s.openKeys(ctx)
}

// Close waits for running queries and closes every connection.
func (s *Store) Close() { s.pool.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach database: %w", err)
	}
	return nil
}

// Replica identifies this process among those that share the database.
func (s *Store) Replica() uuid.UUID { return s.replica }

// interval is a duration in the form PostgreSQL's make_interval(secs => ...) takes.
func interval(d time.Duration) float64 { return d.Seconds() }
