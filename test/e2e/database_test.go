// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// refusedByRule is the SQLSTATE with which PostgreSQL turns away whom its rules do not let in.
const refusedByRule = "28000"

// login is an attempt to enter a tenant's database from its chat server's place in the network, where no policy is in
// the way.
type login struct {
	name string
	// certificate is the tenant whose client certificate is shown, empty for none.
	certificate    string
	plaintext      bool
	role, database string
	password       string
	// refusal is a part of the server's answer, empty if it lets the client in.
	refusal string
}

func TestADatabaseAcceptsOnlyItsOwnTenantsClientCertificate(t *testing.T) {
	own := login{certificate: acme, role: naming.DatabaseRole, database: naming.DatabaseName}
	with := func(name, refusal string, change func(*login)) login {
		l := own
		l.name, l.refusal = name, refusal
		change(&l)
		return l
	}
	logins := []login{
		with("its own", "", func(*login) {}),
		with("none", refusedByRule, func(l *login) { l.certificate = "" }),
		with("none but a password", refusedByRule, func(l *login) { l.certificate, l.password = "", "chatserver" }),
		with("none and no encryption", refusedByRule, func(l *login) { l.certificate, l.plaintext = "", true }),
		with("its own for the superuser", refusedByRule, func(l *login) { l.role = "postgres" }),
		with("its own for an unknown role", refusedByRule, func(l *login) { l.role = "somebody" }),
		with("its own for another database", refusedByRule, func(l *login) { l.database = "postgres" }),
	}
	place, address := chatServersPlace(t, acme)
	for _, l := range logins {
		t.Run(l.name, func(t *testing.T) { l.check(t, place, address) })
	}
}

func TestADatabaseRefusesAnotherTenantsClientCertificate(t *testing.T) {
	place, address := chatServersPlace(t, acme)
	for tenant, refusal := range map[string]string{acme: "", globex: "unknown certificate authority"} {
		t.Run("that of "+tenant, func(t *testing.T) {
			listen := settled
			if refusal != "" {
				listen = openPatience
			}
			err := knock(t, place, address, (&login{certificate: tenant}).tls(t), listen)
			if refusal == "" && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("want the server to wait for the first message, got: %v", err)
			}
			if refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)) {
				t.Errorf("want the server to say %q, got: %v", refusal, err)
			}
		})
	}
}

// knock shakes hands with a database and then only listens. Under TLS 1.3 the server judges the client's certificate
// after the client is done, so its verdict is the first thing to be read; a client that writes first may never see it.
func knock(
	t *testing.T, place *podnet.Namespace, address netip.AddrPort, config *tls.Config, listen time.Duration,
) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	conn, err := place.DialContext(ctx, "tcp", address.String())
	if err != nil {
		t.Fatalf("reach the database: %v", err)
	}
	defer func() { _ = conn.Close() }()
	answer := make([]byte, 1)
	if _, err := conn.Write(sslRequest); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(answer); err != nil || answer[0] != 'S' {
		t.Fatalf("the database does not offer TLS: %q, %v", answer, err)
	}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return err
	}
	if err := client.SetReadDeadline(time.Now().Add(listen)); err != nil {
		t.Fatal(err)
	}
	_, err = client.Read(answer)
	return err
}

// sslRequest is how PostgreSQL's protocol asks for TLS: its length, and a number that no version has.
var sslRequest = []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}

func TestAChatServerWouldNotTalkToAnotherTenantsDatabase(t *testing.T) {
	place, address := chatServersPlace(t, acme)
	l := login{certificate: acme, role: naming.DatabaseRole, database: naming.DatabaseName}
	config := l.config(t, place, address)
	// What a chat server of the other tenant would trust.
	config.TLSConfig.RootCAs = authority(t, secret(t, naming.Namespace(globex), "postgres-client"))
	_, err := pgconn.ConnectConfig(t.Context(), config)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("want the certificate of %s's database refused under %s's authority, got %v", acme, globex, err)
	}
}

// chatServersPlace is the network of one of the tenant's chat servers, and its database's address.
func chatServersPlace(t *testing.T, tenant string) (*podnet.Namespace, netip.AddrPort) {
	t.Helper()
	pod := tenantPods(t, tenant, naming.ChatServer)[0]
	address := service(t, naming.Namespace(tenant), naming.Postgres).Spec.ClusterIP
	return inside(t, &pod), netip.AddrPortFrom(netip.MustParseAddr(address), naming.PostgresPort)
}

func (l *login) check(t *testing.T, place *podnet.Namespace, address netip.AddrPort) {
	t.Helper()
	err := l.try(t, place, address)
	// What a client says right after its handshake may meet a connection that is closed already, and lose the reason.
	for attempts := 10; (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) && attempts > 0; attempts-- {
		err = l.try(t, place, address)
	}
	switch {
	case l.refusal == "" && err != nil:
		t.Errorf("must be let in, got: %v", err)
	case l.refusal != "" && (err == nil || !strings.Contains(err.Error(), l.refusal)):
		t.Errorf("must be refused with %q, got: %v", l.refusal, err)
	default:
		t.Logf("answer: %v", err)
	}
}

// try logs in and asks something.
func (l *login) try(t *testing.T, place *podnet.Namespace, address netip.AddrPort) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, l.config(t, place, address))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT current_user").ReadAll()
	_ = conn.Close(ctx)
	return err
}

// config verifies the server as the chat server does, so that a refusal is the server's and not the client's.
func (l *login) config(t *testing.T, place *podnet.Namespace, address netip.AddrPort) *pgconn.Config {
	t.Helper()
	config, err := pgconn.ParseConfig("sslmode=disable host=" + address.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	config.Port, config.User, config.Database = address.Port(), l.role, l.database
	config.Password, config.Fallbacks = l.password, nil
	config.DialFunc = place.DialContext
	if !l.plaintext {
		config.TLSConfig = l.tls(t)
	}
	return config
}

func (l *login) tls(t *testing.T) *tls.Config {
	t.Helper()
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: naming.ServiceHost(acme, naming.Postgres),
		RootCAs:    authority(t, secret(t, naming.Namespace(acme), "postgres-client")),
	}
	if l.certificate == "" {
		return config
	}
	shown := secret(t, naming.Namespace(l.certificate), "postgres-client")
	pair, err := tls.X509KeyPair(shown.Data[corev1.TLSCertKey], shown.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatalf("read client certificate of %s: %v", l.certificate, err)
	}
	// Shown whatever authorities the server asks for: the default would hold a foreign certificate back.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return config
}

// authority is the certification authority that a TLS Secret came with.
func authority(t *testing.T, from *corev1.Secret) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(from.Data["ca.crt"]) {
		t.Fatalf("secret %s/%s has no certification authority", from.Namespace, from.Name)
	}
	return pool
}
