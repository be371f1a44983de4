// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/store"
)

// Tenant is the tenant of every test database.
const Tenant = "acme"

// Database is an empty database of one test, with what a chat server needs to use it.
type Database struct {
	Cluster *Cluster
	Config  serverconfig.Database
	// KEKFile holds the tenant's key-encryption key.
	KEKFile string
	// Dir holds the client certificate and the CA, owned by the test.
	Dir string
}

// New gives the test an empty database and a client certificate for it.
func New(tb testing.TB) *Database {
	tb.Helper()
	cluster := clusterFor(tb)
	cluster.recreate(tb)
	dir := tb.TempDir()
	db := &Database{Cluster: cluster, Dir: dir, KEKFile: writeKey(tb, filepath.Join(dir, "kek"))}
	db.Config = serverconfig.Database{
		Host: "localhost", Port: cluster.Port, Name: naming.DatabaseName, User: naming.DatabaseRole,
		TLS:            cluster.CA.Write(tb, filepath.Join(dir, "client"), certtest.Leaf{CommonName: naming.DatabaseRole}),
		CAFile:         cluster.CA.WriteCert(tb, filepath.Join(dir, "ca.crt")),
		MaxConnections: 4,
	}
	return db
}

func writeKey(tb testing.TB, file string) string {
	tb.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// recreate gives the role and an empty database exactly the rights a tenant's database has.
func (c *Cluster) recreate(tb testing.TB) {
	tb.Helper()
	c.exec(tb, "postgres",
		`DO $$ BEGIN CREATE ROLE chatserver LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`DROP DATABASE IF EXISTS chat WITH (FORCE)`,
		`CREATE DATABASE chat OWNER chatserver`)
	c.exec(tb, "chat", `GRANT EXECUTE ON FUNCTION pg_reload_conf() TO chatserver`)
}

func (c *Cluster) exec(tb testing.TB, database string, statements ...string) {
	tb.Helper()
	ctx := context.Background()
	conn, err := c.connect(ctx, database)
	if err != nil {
		tb.Fatalf("connect as administrator: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// Admin opens an administrator's connection to the test's database, closed when the test ends.
func (db *Database) Admin(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := db.Cluster.connect(context.Background(), naming.DatabaseName)
	if err != nil {
		tb.Fatalf("connect as administrator: %v", err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// StoreConfig is the configuration of a store on this database.
func (db *Database) StoreConfig(tb testing.TB) store.Config {
	tb.Helper()
	return store.Config{
		Database: db.Config, Tenant: Tenant, Keys: Ring(tb, db.Key(tb, 1)), Logger: slog.New(slog.DiscardHandler),
	}
}

// Key is the key-encryption key of a generation; the first is KEKFile's.
func (db *Database) Key(tb testing.TB, generation int64) kek.Key {
	tb.Helper()
	file := db.KEKFile
	if generation > 1 {
		file = filepath.Join(db.Dir, fmt.Sprintf("kek-%d", generation))
	}
	if _, err := os.Stat(file); os.IsNotExist(err) {
		writeKey(tb, file)
	}
	return kek.FromSecret(serverconfig.SecretKey{File: file, Generation: generation})
}

// Ring holds keys.
func Ring(tb testing.TB, keys ...kek.Key) *kek.Ring {
	tb.Helper()
	ring, err := kek.NewRing(keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

// Open opens a store, closed when the test ends. Several at once behave as replicas. Like these it waits for a database
// that does not answer in time.
func (db *Database) Open(tb testing.TB) *store.Store {
	tb.Helper()
	patience, stop := context.WithTimeout(context.Background(), startTimeout)
	defer stop()
	for {
		s, err := store.Open(context.Background(), db.StoreConfig(tb))
		if err == nil {
			tb.Cleanup(s.Close)
			return s
		}
		// A store gives its database five seconds, which a machine that stalls may take.
		if !errors.Is(err, context.DeadlineExceeded) || patience.Err() != nil {
			tb.Fatalf("open store: %v", err)
		}
	}
}

// Dump returns everything the database holds, as pg_dump writes it.
func (db *Database) Dump(tb testing.TB) string {
	tb.Helper()
	cmd := db.Cluster.command("pg_dump", "-h", db.Cluster.dir, "-p", portString(db.Cluster.Port), "-U", "postgres",
		"--inserts", naming.DatabaseName)
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("pg_dump: %v", err)
	}
	return string(out)
}
