// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package servertest runs whole chat servers for tests: real TLS behind a real PROXY header, on a real database.
package servertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/api/trust"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/freeport"
)

// Host is the endpoint's name in tests; Endpoint is where browsers would reach it. Nothing listens there: clients are
// given a dialer.
const (
	Host     = "acme.localhost"
	Port     = "8443"
	Endpoint = "https://" + Host + ":" + Port
)

// Password is that of every agent in tests.
const Password = "correct horse battery"

// Replica is a running chat server.
type Replica struct {
	Config *serverconfig.ChatServerConfiguration
	// Public and Health are the addresses it listens on.
	Public, Health string
	// Roots trust its certificate, CA signs others.
	Roots *x509.CertPool
	CA    *certtest.CA
	Log   *LogBuffer

	stop context.CancelFunc
	done chan error
}

// Option changes how a replica runs.
type Option func(*serverconfig.ChatServerConfiguration, *server.Options)

// WithTiming replaces the time-outs of sockets.
func WithTiming(t edge.Timing) Option {
	return func(_ *serverconfig.ChatServerConfiguration, o *server.Options) { o.Timing = t }
}

// WithLimits replaces the limits.
func WithLimits(l edge.Limits) Option {
	return func(_ *serverconfig.ChatServerConfiguration, o *server.Options) { o.Limits = l }
}

// WithSite replaces the pages.
func WithSite(site http.Handler) Option {
	return func(_ *serverconfig.ChatServerConfiguration, o *server.Options) { o.Site = site }
}

// Generous limits let a test do in a second what people do in minutes.
func Generous() edge.Limits {
	many := edge.Rate{PerSecond: 1e6, Burst: 1e6}
	return edge.Limits{
		Connections: 1000, Accepts: many, Requests: many, Handshakes: many, VisitorSessions: many, SignIns: many,
		Accounts:        many,
		VisitorMessages: many, AgentMessages: many, Searches: many, Frames: many,
	}
}

// Patient are time-outs that a machine with much else to do does not run into.
func Patient() edge.Timing {
	t := edge.DefaultTiming()
	t.ProxyHeader, t.RequestHeader, t.Request = time.Minute, time.Minute, time.Minute
	t.Hello, t.Silence, t.Write = time.Minute, time.Minute, time.Minute
	return t
}

// Start runs a replica on db until the test ends. It is ready when Start returns.
func Start(tb testing.TB, db *storetest.Database, opts ...Option) *Replica {
	tb.Helper()
	r := Launch(tb, db, opts...)
	r.WaitReady(tb)
	return r
}

// StartBeside runs another replica, with a certificate of the same authority as first's.
func StartBeside(tb testing.TB, db *storetest.Database, first *Replica, opts ...Option) *Replica {
	tb.Helper()
	r := launch(tb, db, first.CA, opts...)
	r.WaitReady(tb)
	return r
}

// Launch runs a replica without waiting until it is ready.
func Launch(tb testing.TB, db *storetest.Database, opts ...Option) *Replica {
	tb.Helper()
	return launch(tb, db, certtest.NewCA(tb), opts...)
}

func launch(tb testing.TB, db *storetest.Database, ca *certtest.CA, opts ...Option) *Replica {
	tb.Helper()
	r := &Replica{CA: ca, Roots: ca.Pool(), Log: &LogBuffer{}, done: make(chan error, 1), Config: NewConfig(tb, db, ca)}
	public, health := listen(tb), listen(tb)
	r.Public, r.Health = public.Addr().String(), health.Addr().String()
	options := server.Options{
		Public: public, Health: health, Limits: Generous(), Timing: Patient(),
		Site: http.NotFoundHandler(), Logger: slog.New(slog.NewJSONHandler(r.Log, nil)),
		CertificatePoll: time.Second, TrustPoll: 100 * time.Millisecond, ReplicaPoll: time.Second,
	}
	for _, opt := range opts {
		opt(r.Config, &options)
	}
	s, err := server.New(r.Config, options)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- s.Run(ctx) }()
	tb.Cleanup(func() {
		if err := r.Stop(); err != nil {
			tb.Errorf("stop: %v", err)
		}
	})
	return r
}

// NewConfig is the configuration the operator would render.
func NewConfig(tb testing.TB, db *storetest.Database, ca *certtest.CA) *serverconfig.ChatServerConfiguration {
	tb.Helper()
	return &serverconfig.ChatServerConfiguration{
		APIVersion: serverconfig.APIVersion, Kind: serverconfig.Kind,
		Tenant: serverconfig.Tenant{
			Name: storetest.Tenant, DisplayName: "Acme GmbH", PolicyURL: "https://www.acme.example/privacy",
			Region: serverconfig.Region{Name: "eu-central", DisplayName: "Frankfurt", Jurisdiction: "DE"},
		},
		Endpoint: serverconfig.Endpoint{Host: Host, AllowedOrigins: []string{"https://www.acme.example"}},
		Listen:   serverconfig.Listen{Public: "127.0.0.1:0", Health: "127.0.0.1:0"},
		TLS:      ca.Write(tb, filepath.Join(tb.TempDir(), "tls"), certtest.Leaf{CommonName: Host, Hosts: []string{Host}}),
		Database: db.Config,
		Sealing: serverconfig.Sealing{KeyEncryptionKey: serverconfig.KeyEncryptionKey{
			SecretKey: &serverconfig.SecretKey{File: db.KEKFile, Generation: 1},
		}},
		// Long enough to drain, short enough for a test that has open sockets at its end.
		TrustFile:    filepath.Join(tb.TempDir(), trust.FileName),
		DrainSeconds: 2,
	}
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// FreeAddress is an address nothing listens on, nor will anything but what is told to.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freeport.Reserve(tb))
}

// Stop asks the replica to drain and waits for its end. It may be called twice.
func (r *Replica) Stop() error {
	r.stop()
	return r.Wait()
}

// Wait returns why the replica ended, once it did; nil when asked again.
func (r *Replica) Wait() error {
	err, ok := <-r.done
	if !ok {
		return nil
	}
	close(r.done)
	return err
}

const (
	startTimeout = 2 * time.Minute
	readyPoll    = 20 * time.Millisecond
)

// WaitReady waits until readiness says so.
func (r *Replica) WaitReady(tb testing.TB) {
	tb.Helper()
	for range startTimeout / readyPoll {
		if status, _ := r.Probe(tb, "/readyz"); status == http.StatusOK {
			return
		}
		time.Sleep(readyPoll)
	}
	tb.Fatalf("not ready after %v; log:\n%s", startTimeout, r.Log)
}

// Probe asks the health listener.
func (r *Replica) Probe(tb testing.TB, path string) (status int, body string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.Health+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: r.TLS(), DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	var b bytes.Buffer
	_, _ = b.ReadFrom(response.Body)
	return response.StatusCode, b.String()
}

// Dial connects as the ingress gateway does: a PROXY version 2 header with the client's address first.
func (r *Replica) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return DialAs(ctx, r.Public, "203.0.113.7:4711")
}

// DialAs is Dial for a client at another address.
func DialAs(ctx context.Context, server, source string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	from, err := net.ResolveTCPAddr("tcp", source)
	if err != nil {
		return nil, err
	}
	header := proxyproto.HeaderProxyFromAddrs(2, from, conn.RemoteAddr())
	if from.IP.To4() == nil {
		header = proxyproto.HeaderProxyFromAddrs(2, from, &net.TCPAddr{IP: net.IPv6loopback, Port: 443})
	}
	if _, err := header.WriteTo(conn); err != nil {
		return nil, err
	}
	return conn, nil
}

// TLS trusts the replica's certificate.
func (r *Replica) TLS() *tls.Config {
	return &tls.Config{RootCAs: r.Roots, ServerName: Host, MinVersion: tls.VersionTLS12}
}

// Client is a client of this replica.
func (r *Replica) Client(tb testing.TB) *client.Client {
	tb.Helper()
	return ClientOf(tb, r, func() *Replica { return r })
}

// ClientOf is a client that trusts like's authority and connects to whichever replica current names.
func ClientOf(tb testing.TB, like *Replica, current func() *Replica) *client.Client {
	tb.Helper()
	return ClientOver(tb, client.TransportWebSocket, like, current)
}

// Invite makes an account and returns the token that sets its password.
func Invite(tb testing.TB, db *storetest.Database, email, name string) string {
	tb.Helper()
	token, err := identityOn(tb, db).Invite(tb.Context(), redacted.New(email), redacted.New(name))
	if err != nil {
		tb.Fatal(err)
	}
	return token.Reveal()
}

// NewAgent makes an account with Password.
func NewAgent(tb testing.TB, db *storetest.Database, email, name string) {
	tb.Helper()
	token := redacted.New(Invite(tb, db, email, name))
	if _, err := identityOn(tb, db).Redeem(tb.Context(), token, redacted.New(Password)); err != nil {
		tb.Fatal(err)
	}
}

func identityOn(tb testing.TB, db *storetest.Database) *identity.Service {
	tb.Helper()
	people, err := identity.NewService(db.Open(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return people
}

// LogBuffer keeps what was logged.
type LogBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns everything logged so far.
func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
