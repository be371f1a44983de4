// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build postgres

package desired

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chattenant/chattenant/api/naming"
)

const serverName = "postgres.chat-acme.svc"

// withCertificates gives the server's Secret to a machine, signed by an authority that nobody else has.
func withCertificates(t *testing.T, m machine) machine {
	t.Helper()
	m.publish(t, newSigner(t).serverSecret(t))
	return m
}

// publish puts a Secret's files into place as a kubelet does: in a new directory, which a link is then turned to.
func (m machine) publish(t *testing.T, files map[string]string) {
	t.Helper()
	version, err := os.MkdirTemp(m.path("tls"), "..version-")
	if err != nil {
		t.Fatal(err)
	}
	m.give(t, version, 0o755)
	relative := strings.TrimPrefix(version, m.directory+"/")
	for name, content := range files {
		m.write(t, relative+"/"+name, content, 0o600)
		m.protect(t, relative+"/"+name)
		if err := os.Symlink("..data/"+name, m.path("tls/"+name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	next := m.path("tls/..data_tmp")
	if err := os.Symlink(strings.TrimPrefix(relative, "tls/"), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, m.path("tls/..data")); err != nil {
		t.Fatal(err)
	}
}

// protect gives a file the owner and mode that it has in the pod: root's, readable for the server's group. Only root
// can do so; without root the file stays the server's own, which PostgreSQL accepts as well.
func (m machine) protect(t *testing.T, name string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(m.path(name), 0, m.gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(m.path(name), secretMode); err != nil {
		t.Fatal(err)
	}
}

func TestTheDatabaseAdmitsOnlyTheChatServersCertificate(t *testing.T) {
	own, other := newSigner(t), newSigner(t)
	m := initialised(t)
	m.publish(t, own.serverSecret(t))
	s := m.serve(t)
	own.mustConnect(t, s, login{certificate: own.client(t, naming.DatabaseRole)})

	right, foreign := own.client(t, naming.DatabaseRole), other.client(t, naming.DatabaseRole)
	intruder, superuser := own.client(t, "intruder"), own.client(t, "postgres")
	expired := own.issue(t, certificateRequest{
		commonName: naming.DatabaseRole, client: true, notAfter: time.Now().Add(-time.Hour),
	})
	server := own.issue(t, certificateRequest{commonName: naming.DatabaseRole, dnsName: serverName})
	const rejected = "pg_hba.conf rejects"
	for name, attempt := range map[string]struct {
		login  login
		reason string
	}{
		"no certificate":                  {login{}, "requires a valid client certificate"},
		"no encryption":                   {login{plaintext: true}, rejected},
		"TLS 1.2":                         {login{certificate: right, maxVersion: tls.VersionTLS12}, "protocol version"},
		"another name":                    {login{certificate: intruder}, "certificate authentication failed"},
		"another name as itself":          {login{certificate: intruder, role: "intruder"}, rejected},
		"the superuser's name":            {login{certificate: superuser, role: "postgres"}, rejected},
		"the right name as the superuser": {login{certificate: right, role: "postgres"}, rejected},
		"another database":                {login{certificate: right, database: "postgres"}, rejected},
		"a template":                      {login{certificate: right, database: "template1"}, rejected},
		"replication":                     {login{certificate: right, replication: "true"}, "max_wal_senders"},
		"an expired certificate":          {login{certificate: expired, mute: true}, "expired certificate"},
		"a server's certificate":          {login{certificate: server, mute: true}, "unsupported certificate"},
		"another tenant's certificate":    {login{certificate: foreign, mute: true}, "unknown certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			err := own.connect(t, s, attempt.login)
			if err == nil || !strings.Contains(err.Error(), attempt.reason) {
				t.Errorf("got %v, want a refusal with %q", err, attempt.reason)
			}
		})
	}
	t.Run("the chat server's role over the socket", func(t *testing.T) {
		if output, err := s.psql(t, naming.DatabaseRole, "SELECT 1"); err == nil {
			t.Errorf("admitted: %s", output)
		}
	})
}

func TestTheChatServerHasARenewedCertificateServed(t *testing.T) {
	authority := newSigner(t)
	m := initialised(t)
	m.publish(t, authority.serverSecret(t))
	s := m.serve(t)
	client := login{certificate: authority.client(t, naming.DatabaseRole)}
	before := authority.servedSerial(t, s, client)
	m.publish(t, authority.serverSecret(t))
	authority.query(t, s, client, "SELECT pg_reload_conf()")
	for range 600 {
		if authority.servedSerial(t, s, client) != before {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the old certificate is still served after 30 s")
}

// TestTheLogNeverHoldsWhatAClientSent lets every kind of statement fail around a marker, and finds it nowhere.
func TestTheLogNeverHoldsWhatAClientSent(t *testing.T) {
	const marker = "seeded-4711"
	authority := newSigner(t)
	m := initialised(t)
	m.publish(t, authority.serverSecret(t))
	s := m.serve(t)
	client := login{certificate: authority.client(t, naming.DatabaseRole)}
	authority.query(t, s, client, "CREATE TABLE people (name text PRIMARY KEY, age int CHECK (age > 0))")
	authority.query(t, s, client, "INSERT INTO people VALUES ('"+marker+"', 1)")
	for _, statement := range []string{
		"INSERT INTO people VALUES ('" + marker + "', 2)",
		"INSERT INTO people VALUES ('" + marker + "-2', -1)",
		"SELECT '" + marker + "'::int",
		"SELECT '" + marker + "'::uuid FROM people",
		"SELECT " + marker,
		"DO $$ BEGIN RAISE EXCEPTION 'failed for %', '" + marker + "'; END $$",
		"DO $$ BEGIN RAISE WARNING 'about %', '" + marker + "'; END $$",
		"SET log_min_messages = debug5; SELECT '" + marker + "'",
	} {
		_ = authority.try(t, s, client, statement)
	}
	_ = authority.try(t, s, client, "SELECT $1::text::int", marker)
	// The log is alive: what concerns the server is in it, a refused login and a fault of its own.
	_ = authority.connect(t, s, login{certificate: authority.client(t, "intruder")})
	_, _ = s.psql(t, "postgres", "SELECT 1/0")
	log := s.readLog(t)
	for _, want := range []string{"certificate authentication failed", "division by zero"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not hold %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, marker) {
		t.Errorf("the log holds what a client sent:\n%s", log)
	}
}

// TestAStopEndsOpenSessions sends what the pod's end sends: the hook's signal, then the kubelet's.
func TestAStopEndsOpenSessions(t *testing.T) {
	authority := newSigner(t)
	m := initialised(t)
	m.publish(t, authority.serverSecret(t))
	s := m.serve(t)
	if _, err := authority.dial(t, s, login{certificate: authority.client(t, naming.DatabaseRole)}); err != nil {
		t.Fatal(err)
	}
	s.stop(t, syscall.SIGINT, syscall.SIGTERM)
	if log := s.readLog(t); !strings.Contains(log, "database system is shut down") {
		t.Errorf("no orderly shutdown:\n%s", log)
	}
}

// login is one attempt to connect.
type login struct {
	certificate *tls.Certificate
	plaintext   bool
	maxVersion  uint16
	// mute waits for the server's verdict on the certificate before it says anything. In TLS 1.3 a client has shaken hands
	// before the server looks at its certificate: what it said could meet a connection that is closed already, and would
	// take the reason along.
	mute bool
	// role, database and replication default to what the chat server uses.
	role, database, replication string
}

// dial connects until the test ends.
func (a signer) dial(t *testing.T, s *server, l login) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable port=" + s.port)
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Database = naming.DatabaseRole, naming.DatabaseName
	if l.role != "" {
		config.User = l.role
	}
	if l.database != "" {
		config.Database = l.database
	}
	if l.replication != "" {
		config.RuntimeParams["replication"] = l.replication
	}
	if !l.plaintext {
		config.TLSConfig = &tls.Config{
			RootCAs: a.pool(), ServerName: serverName, MinVersion: tls.VersionTLS12, MaxVersion: l.maxVersion,
		}
	}
	if l.certificate != nil {
		// Sent whatever the server asks for: an intruder would not hold it back.
		config.TLSConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return l.certificate, nil
		}
	}
	if l.mute {
		config.AfterNetConnect = verdict
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
	}
	return conn, err
}

// verdict returns why the server ended a connection on which nothing was said. It says nothing itself to one that it
// admits.
func verdict(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	_, err := conn.Read(make([]byte, 1))
	return conn, err
}

// connect returns why the server refused, or nil.
func (a signer) connect(t *testing.T, s *server, l login) error {
	t.Helper()
	_, err := a.dial(t, s, l)
	return err
}

func (a signer) mustConnect(t *testing.T, s *server, l login) {
	t.Helper()
	if err := a.connect(t, s, l); err != nil {
		t.Fatalf("the chat server itself is refused: %v\n%s", err, s.readLog(t))
	}
}

func (a signer) try(t *testing.T, s *server, l login, statement string, arguments ...any) error {
	t.Helper()
	conn, err := a.dial(t, s, l)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), statement, arguments...)
	return err
}

func (a signer) query(t *testing.T, s *server, l login, statement string) {
	t.Helper()
	if err := a.try(t, s, l, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// servedSerial is the serial number of the certificate that a new connection is shown.
func (a signer) servedSerial(t *testing.T, s *server, l login) string {
	t.Helper()
	conn, err := a.dial(t, s, l)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	secured, ok := conn.PgConn().Conn().(*tls.Conn)
	if !ok {
		t.Fatalf("the connection is a %T", conn.PgConn().Conn())
	}
	if version := secured.ConnectionState().Version; version != tls.VersionTLS13 {
		t.Fatalf("TLS version %x", version)
	}
	return secured.ConnectionState().PeerCertificates[0].SerialNumber.String()
}
