// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// open opens a store on a configuration that the test has spoilt.
func open(t *testing.T, config store.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := store.Open(ctx, config)
	if err == nil {
		s.Close()
	}
	return err
}

// sqlState is the server's own code for a refusal.
func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

func TestAClientCertificateOfAnotherCAIsRefused(t *testing.T) {
	db := storetest.New(t)
	config := db.StoreConfig(t)
	leaf := certtest.Leaf{CommonName: config.Database.User}
	config.Database.TLS = certtest.NewCA(t).Write(t, filepath.Join(t.TempDir(), "other"), leaf)
	const refused = "could not accept SSL connection: certificate verify failed"
	before := strings.Count(db.Cluster.Log(t), refused)
	err := open(t, config)
	// The server cuts the connection right after its alert. A client that is still writing may learn of the cut before it
	// reads the reason, which the server's log has in any case.
	cut := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if err == nil || !cut && !strings.Contains(err.Error(), "unknown certificate authority") {
		t.Errorf("Open = %v, want the server's refusal of the authority", err)
	}
	err = eventually(t, func(context.Context) error {
		if strings.Count(db.Cluster.Log(t), refused) == before {
			return errors.New("it is not the server that refuses the certificate")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestACertificateOfAnotherRoleIsRefused(t *testing.T) {
	const invalidAuthorization = "28000"
	db := storetest.New(t)
	config := db.StoreConfig(t)
	leaf := certtest.Leaf{CommonName: "postgres"}
	config.Database.TLS = db.Cluster.CA.Write(t, filepath.Join(t.TempDir(), "other"), leaf)
	if err := open(t, config); sqlState(err) != invalidAuthorization {
		t.Errorf("Open = %v, want SQLSTATE %s", err, invalidAuthorization)
	}
}

func TestAServerThatCannotProveItsNameIsRefused(t *testing.T) {
	db := storetest.New(t)
	t.Run("signed by another authority", func(t *testing.T) {
		config := db.StoreConfig(t)
		config.Database.CAFile = certtest.NewCA(t).WriteCert(t, filepath.Join(t.TempDir(), "ca.crt"))
		var unknown x509.UnknownAuthorityError
		if err := open(t, config); !errors.As(err, &unknown) {
			t.Errorf("Open = %v, want an unknown authority", err)
		}
	})
	t.Run("for another name", func(t *testing.T) {
		config := db.StoreConfig(t)
		config.Database.Host = "127.0.0.1"
		var name x509.HostnameError
		if err := open(t, config); !errors.As(err, &name) {
			t.Errorf("Open = %v, want a wrong name", err)
		}
	})
}

func TestAServerThatOffersLessThanCertificatesOverTLSIsRefused(t *testing.T) {
	db := storetest.New(t)
	tests := map[string]struct{ hba, ssl, want string }{
		"asks for a password": {"hostssl chat chatserver all password", "on", `requirement "none" failed`},
		"asks for SCRAM":      {"hostssl chat chatserver all scram-sha-256", "on", `requirement "none" failed`},
		"has no TLS":          {"host chat chatserver all trust", "off", "server refused TLS"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			db.Cluster.Reconfigure(t, test.hba, "ssl="+test.ssl)
			if err := open(t, db.StoreConfig(t)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open = %v, want %q", err, test.want)
			}
		})
	}
}

func TestARenewedClientCertificateIsUsedForNewConnections(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	// The old authority loses the server's trust, the new certificate replaces the files the store knows.
	renewed := certtest.NewCA(t)
	db.Cluster.TrustClients(t, renewed)
	renewed.Write(t, filepath.Dir(db.Config.TLS.CertFile), certtest.Leaf{CommonName: db.Config.User})
	db.Cluster.Disconnect(t)
	if err := eventually(t, s.Ping); err != nil {
		t.Errorf("with the renewed certificate: %v", err)
	}
}

func TestAStoreCanMakeTheServerRereadItsFiles(t *testing.T) {
	db := storetest.New(t)
	s := db.Open(t)
	admin := db.Admin(t)
	var before, after time.Time
	const loaded = `SELECT pg_conf_load_time()`
	if err := admin.QueryRow(t.Context(), loaded).Scan(&before); err != nil {
		t.Fatal(err)
	}
	if err := s.ReloadServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := eventually(t, func(ctx context.Context) error {
		if err := admin.QueryRow(ctx, loaded).Scan(&after); err != nil {
			return err
		}
		if !after.After(before) {
			return errors.New("not reloaded")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTheDatabaseOfAnotherTenantOrKeyIsRefusedForGood(t *testing.T) {
	db := storetest.New(t)
	db.Open(t)
	t.Run("tenant", func(t *testing.T) {
		config := db.StoreConfig(t)
		config.Tenant = "globex"
		if err := open(t, config); !errors.Is(err, store.ErrMisconfigured) {
			t.Errorf("Open = %v, want ErrMisconfigured", err)
		}
	})
	t.Run("key", func(t *testing.T) {
		if err := os.WriteFile(db.KEKFile, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := open(t, db.StoreConfig(t)); !errors.Is(err, store.ErrMisconfigured) {
			t.Errorf("Open = %v, want ErrMisconfigured", err)
		}
	})
}

func TestReplicasThatStartTogetherMigrateOnceAndShareTheKeys(t *testing.T) {
	db := storetest.New(t)
	const replicas = 4
	errs := make(chan error, replicas)
	for range replicas {
		config := db.StoreConfig(t)
		go func() { errs <- open(t, config) }()
	}
	for range replicas {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var keysets int
	err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM tenant_keyset`).Scan(&keysets)
	if err != nil || keysets != 1 {
		t.Errorf("%d keysets, %v", keysets, err)
	}
}

// eventually tries for a while what may fail until the server has noticed a change.
func eventually(t *testing.T, try func(context.Context) error) error {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(t.Context()); err == nil {
			return nil
		}
	}
	return err
}
