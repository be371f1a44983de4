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
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
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
	// Keys are the key-encryption keys: the newest wraps the tenant's keysets, the others open what they wrapped before.
	Keys *kek.Ring
	// KeyCache is how long the keysets are used without a remote key confirming them, the configuration's default if 0.
	KeyCache time.Duration
	Logger   *slog.Logger
	// Clock is the real one if nil.
	Clock clock.Clock
}

func (c *Config) setDefaults() {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	if c.KeyCache == 0 {
		c.KeyCache = new(serverconfig.Sealing).CacheTime()
	}
}

// Store is the tenant's database. Safe for concurrent use.
type Store struct {
	config Config
	pool   *pgxpool.Pool
	// writer has one connection, for Append alone: a message must not wait behind ten thousand clients that come back
	// and want to read.
	writer   *pgxpool.Pool
	keys     *keyring
	watch    keyWatch
	subjects *lru.Cache
	heads    heads
	// epoch is the highest one met.
	epoch atomic.Int64
	// replica marks this process's own notifications.
	replica uuid.UUID
	// written is rung when something was appended.
	written chan struct{}
}

// cachedSubjects bounds the open subject keys kept in memory, about 1 KiB each.
const cachedSubjects = 4096

// Open connects, verifies that the connection is TLS, migrates the schema and opens the keys. An error that is
// ErrMisconfigured stays until someone acts; any other may pass.
func Open(ctx context.Context, config Config) (*Store, error) {
	config.setDefaults()
	s := &Store{
		config: config, keys: newKeyring(),
		subjects: lru.New(cachedSubjects), heads: newHeads(), replica: uuid.New(), written: make(chan struct{}, 1),
	}
	if err := s.connect(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect makes the pools.
func (s *Store) connect(ctx context.Context) (err error) {
	db := s.config.Database
	if s.pool, err = newPool(ctx, db, max(1, db.MaxConnections-1), s.greet); err != nil {
		return err
	}
	s.writer, err = newPool(ctx, db, 1, s.greet)
	return err
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
func (s *Store) Close() {
	for _, pool := range []*pgxpool.Pool{s.writer, s.pool} {
		if pool != nil {
			pool.Close()
		}
	}
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach database: %w", err)
	}
	return nil
}

// Ready tells whether everything is at hand to serve: the database and the keys.
func (s *Store) Ready(ctx context.Context) error {
	if s.keys.locked() {
		return ErrLocked
	}
	return s.Ping(ctx)
}

// Replica identifies this process among those that share the database.
func (s *Store) Replica() uuid.UUID { return s.replica }

// Written is signalled after something was appended through this store.
func (s *Store) Written() <-chan struct{} { return s.written }

// ringWritten wakes whoever waits for Written, and never waits itself.
func (s *Store) ringWritten() {
	select {
	case s.written <- struct{}{}:
	default:
	}
}

// interval is a duration in the form PostgreSQL's make_interval(secs => ...) takes.
func interval(d time.Duration) float64 { return d.Seconds() }
