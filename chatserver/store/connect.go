// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	"github.com/chattenant/chattenant/api/serverconfig"
)

const (
	dialTimeout = 5 * time.Second
	// keepAlive finds out about a peer that vanished without a word.
	keepAlive = 15 * time.Second
	// A connection's certificate is checked when it is made, so none lives for ever.
	maxConnLifetime = time.Hour
	maxConnIdleTime = 5 * time.Minute
)

// sessionSettings are set on every connection. synchronous_commit must be on whatever the role or the database says:
// an acknowledgement promises that the commit is on disk. The time-outs keep a lost replica from holding row locks.
var sessionSettings = map[string]string{
	"application_name":                    "chatserver",
	"synchronous_commit":                  "on",
	"statement_timeout":                   "10s",
	"lock_timeout":                        "5s",
	"idle_in_transaction_session_timeout": "10s",
	"timezone":                            "UTC",
	// Every statement looks rows up by key. A database without statistics, as a new tenant's is, would be planned for as
	// if its tables were empty, by reading them whole, and the plans would be kept while they grow.
	"enable_seqscan":  "off",
	"plan_cache_mode": "force_generic_plan",
	"jit":             "off",
}

// newPool makes a pool whose connections are greeted before their first use.
func newPool(
	ctx context.Context, db serverconfig.Database, connections int32, greet func(context.Context, *pgx.Conn) error,
) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(connString(db))
	if err != nil {
		return nil, fmt.Errorf("configure database pool: %w", err)
	}
	harden(config.ConnConfig, sessionSettings)
	config.MaxConns = connections
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = maxConnLifetime, maxConnLifetime/4
	config.MaxConnIdleTime = maxConnIdleTime
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { return renewTLS(c, db) }
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		pgxuuid.Register(c.TypeMap())
		if err := requireTLS(c); err != nil {
			return err
		}
		return greet(ctx, c)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make database pool: %w", err)
	}
	return pool, nil
}

// connectAlone makes a connection outside the pool.
func connectAlone(ctx context.Context, db serverconfig.Database, settings map[string]string) (*pgx.Conn, error) {
	config, err := connConfig(db, settings)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to database: %w", err)
	}
	if err := requireTLS(conn); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

func connConfig(db serverconfig.Database, settings map[string]string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(connString(db))
	if err != nil {
		return nil, fmt.Errorf("configure database connection: %w", err)
	}
	harden(config, settings)
	return config, renewTLS(config, db)
}

// connString names everything explicitly, because pgx fills gaps from the environment. require_auth=none means that the
// server must be content with the client certificate: asked for a password, the client leaves.
func connString(db serverconfig.Database) string {
	query := url.Values{"sslmode": {"verify-full"}, "require_auth": {"none"}, "sslnegotiation": {"postgres"}}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(db.User),
		Host:     net.JoinHostPort(db.Host, strconv.Itoa(int(db.Port))),
		Path:     "/" + db.Name,
		RawQuery: query.Encode(),
	}
	return u.String()
}

func harden(config *pgx.ConnConfig, settings map[string]string) {
	config.Fallbacks = nil
	config.Password = ""
	config.ConnectTimeout = dialTimeout
	config.DialFunc = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	config.RuntimeParams = settings
}

// renewTLS reads the certificate files anew for each connection, so that a rotation needs no restart.
func renewTLS(config *pgx.ConnConfig, db serverconfig.Database) error {
	pair, err := tls.LoadX509KeyPair(db.TLS.CertFile, db.TLS.KeyFile)
	if err != nil {
		return fmt.Errorf("load database client certificate: %w", err)
	}
	pem, err := os.ReadFile(db.CAFile)
	if err != nil {
		return fmt.Errorf("read database CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("read database CA %s: no certificate in it", db.CAFile)
	}
	config.TLSConfig = &tls.Config{
		ServerName:   db.Host,
		RootCAs:      roots,
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS13,
	}
	return nil
}

// requireTLS looks at the connection itself rather than at what was configured.
func requireTLS(conn *pgx.Conn) error { return requireTLSConn(conn.PgConn()) }

func requireTLSConn(conn *pgconn.PgConn) error {
	if _, ok := conn.Conn().(*tls.Conn); !ok {
		return fmt.Errorf("%w: connection to the database is not TLS", ErrMisconfigured)
	}
	return nil
}
