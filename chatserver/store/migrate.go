// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/chattenant/chattenant/api/serverconfig"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the advisory lock that serialises the replicas' migrations.
const migrationLock = 0x63686174 // "chat"

// A replica that finds the lock taken asks again every second, for as long as a long migration may take.
const (
	lockPollSeconds = 1
	lockAttempts    = 1800
)

// Migrate brings the schema up to this build's version. Replicas that start together wait for each other.
func Migrate(ctx context.Context, db serverconfig.Database, logger *slog.Logger) (err error) {
	settings := maps.Clone(sessionSettings)
	// A migration may rewrite a large table.
	settings["statement_timeout"] = "0"
	config, err := connConfig(db, settings)
	if err != nil {
		return err
	}
	pool := stdlib.OpenDB(*config)
	defer func() {
		if closeErr := pool.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close migration connection: %w", closeErr)
		}
	}()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(migrationLock), lock.WithLockTimeout(lockPollSeconds, lockAttempts))
	if err != nil {
		return fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, files,
		goose.WithSessionLocker(locker), goose.WithSlog(logger))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema: %w", err)
	}
	logMigrations(logger, results)
	return nil
}

func logMigrations(logger *slog.Logger, results []*goose.MigrationResult) {
	for _, r := range results {
		logger.Info("Applied migration", "version", r.Source.Version, "duration", r.Duration.String())
	}
}
