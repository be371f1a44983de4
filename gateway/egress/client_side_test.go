// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/gateway/egress"
	"github.com/chattenant/chattenant/gateway/hello/hellotest"
)

func helloFor(tb testing.TB, host string) []byte {
	tb.Helper()
	return hellotest.For(tb, host)
}

// nobody takes connections and says nothing.
func nobody(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) }

func TestOnlyTheChatServersCertificateOpensTheGateway(t *testing.T) {
	for name, change := range map[string]func(*gateway, *tls.Config){
		"none": func(_ *gateway, c *tls.Config) { c.Certificates = nil },
		"of another tenant": func(_ *gateway, c *tls.Config) {
			c.Certificates = []tls.Certificate{newAuthority(t).client(t, "chatserver")}
		},
		"of another component": func(g *gateway, c *tls.Config) {
			c.Certificates = []tls.Certificate{g.ca.client(t, "postgres")}
		},
		"of a server": func(g *gateway, c *tls.Config) {
			c.Certificates = []tls.Certificate{g.ca.server(t, "chatserver")}
		},
		"of yesterday": func(g *gateway, c *tls.Config) {
			c.Certificates = []tls.Certificate{g.ca.issue(t, naming.EgressClientName, x509.ExtKeyUsageClientAuth, -time.Hour)}
		},
		"but an older TLS": func(_ *gateway, c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		},
		"but HTTP/2": func(_ *gateway, c *tls.Config) { c.NextProtos = []string{"h2"} },
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			config := g.chatServerTLS(t)
			change(g, config)
			conn := tls.Client(g.tcp(t), config)
			err := conn.HandshakeContext(t.Context())
			if err == nil { // in TLS 1.3 a client has finished before it is judged
				_, _ = io.WriteString(conn, connectTo(mail))
				_, err = conn.Read(make([]byte, 1))
			}
			if err == nil {
				t.Error("the gateway answered")
			}
			g.assertDecided(t, egress.ResultClientRefused)
			g.assertUntouched(t)
		})
	}
}

func TestAClientWithoutTLSIsRefused(t *testing.T) {
	g := startGateway(t, nil)
	conn := g.tcp(t)
	if _, err := io.WriteString(conn, connectTo(mail)); err != nil {
		t.Fatal(err)
	}
	if answer := assertClosed(t, conn); strings.Contains(string(answer), "200") {
		t.Errorf("answered %q", answer)
	}
	g.assertDecided(t, egress.ResultClientRefused)
	g.assertUntouched(t)
}

func TestTheGatewayProvesItself(t *testing.T) {
	g := startGateway(t, nil)
	config := g.chatServerTLS(t)
	config.ServerName = "egress.chat-other.svc"
	if err := tls.Client(g.tcp(t), config).HandshakeContext(t.Context()); err == nil {
		t.Error("the gateway of another tenant passed for this one's")
	}
}

func TestSlowClientsAreCut(t *testing.T) {
	request := func(l *egressconfig.Limits) { l.RequestSeconds = 1 }
	hello := func(l *egressconfig.Limits) { l.HelloSeconds = 1 }
	for name, test := range map[string]struct {
		limit  func(*egressconfig.Limits)
		begin  func(*testing.T, *gateway) io.Reader
		result any
	}{
		"before TLS": {request, func(t *testing.T, g *gateway) io.Reader { return g.tcp(t) }, egress.ResultRequestTimeout},
		"before the request": {request, func(t *testing.T, g *gateway) io.Reader {
			return g.shakeHands(t)
		}, egress.ResultRequestTimeout},
		"within the request": {request, func(t *testing.T, g *gateway) io.Reader {
			conn := g.shakeHands(t)
			go dribble(conn, connectTo(mail))
			return conn
		}, egress.ResultRequestTimeout},
		"before the hello": {hello, func(t *testing.T, g *gateway) io.Reader {
			return g.establish(t, mail)
		}, egressconfig.ReasonHelloTimeout},
		"within the hello": {hello, func(t *testing.T, g *gateway) io.Reader {
			c := g.establish(t, mail)
			go dribble(c.Conn, string(helloFor(t, mailHost)))
			return c
		}, egressconfig.ReasonHelloTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, test.limit)
			// The gateway's second begins after this, however late anything here is.
			start := time.Now()
			assertClosed(t, test.begin(t, g))
			if took := time.Since(start); took < time.Second || took > patience/2 {
				t.Errorf("cut after %s, want about 1 s", took)
			}
			g.assertDecided(t, test.result)
			g.assertNotDialled(t)
		})
	}
}

// shakeHands opens TLS with the gateway. A machine that stalls may have the client cut while it does, which is as good.
func (g *gateway) shakeHands(t *testing.T) *tls.Conn {
	t.Helper()
	conn := tls.Client(g.tcp(t), g.chatServerTLS(t))
	_ = conn.HandshakeContext(t.Context())
	return conn
}

// dribble sends a byte now and then: never idle, never done in time.
func dribble(conn io.Writer, text string) {
	for _, b := range []byte(text) {
		if _, err := conn.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestAClientThatLeavesEarlyIsNoError(t *testing.T) {
	g := startGateway(t, nil)
	_ = g.tcp(t).Close()
	_ = g.client(t).Close()
	_ = g.establish(t, mail).Close()
	eventually(t, "all are counted", func() bool { return g.metric(t, "connections_total", "ClientGone") == 3 })
}

func TestLimitsAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		limit  func(*egressconfig.Limits)
		reason egressconfig.Reason
	}{
		"in total": {func(l *egressconfig.Limits) { l.MaxConnections = 1 }, egressconfig.ReasonTotalLimit},
		"per recipient": {func(l *egressconfig.Limits) {
			l.MaxConnectionsPerRecipient = 1
		}, egressconfig.ReasonRecipientLimit},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, test.limit)
			open := g.reach(t, mailHost, mail)
			c, response := g.ask(t, connectTo(mail))
			assertDenied(t, c, response, http.StatusForbidden, test.reason)
			assertEcho(t, open, "still here")
			_ = open.Close()
			eventually(t, "the place is free", func() bool { return g.metric(t, "active_connections", "mailer") == 0 })
			assertEcho(t, g.reach(t, mailHost, mail), "hello")
		})
	}
}

func TestOneRecipientsCrowdLeavesRoomForTheOthers(t *testing.T) {
	limit := func(l *egressconfig.Limits) { l.MaxConnectionsPerRecipient = 1 }
	g := startGateway(t, limit)
	g.serveCRM(t)
	g.Apply(config(limit, recipient("mailer", mail), recipient("crm", crmHost+":443")))
	g.reach(t, mailHost, mail)
	assertEcho(t, g.reach(t, crmHost, crmHost+":443"), "hello")
}

// serveCRM puts a second recipient outside.
func (g *gateway) serveCRM(tb testing.TB) {
	tb.Helper()
	g.dns.set(crmHost, addresses(crmAddr))
	g.outside.at(crmAddr+":443", startEcho(tb, g.outsideCA, crmHost))
}

func TestClientsThatSayNothingAreCapped(t *testing.T) {
	g := startGateway(t, func(l *egressconfig.Limits) { l.MaxConnections = 1 })
	for range 129 {
		g.tcp(t)
	}
	assertClosed(t, g.tcp(t))
	g.assertDecided(t, egress.ResultOverflow)
}

func TestCredentialsAreReadAgainAndBrokenOnesAreNot(t *testing.T) {
	g := startGateway(t, nil)
	files, stop := g.startFiles(t)
	defer stop()
	open := g.reach(t, mailHost, mail)

	if err := os.WriteFile(files.keyFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the broken key is noticed", func() bool { return g.usable(t, "credentials") == 0 })
	assertEcho(t, g.reach(t, mailHost, mail), "by the old certificate")

	g.ca = newAuthority(t)
	credentialFiles(t, g.dir, g.ca.server(t, gateHost), g.ca)
	eventually(t, "the new certificate is served, and the new roots count", func() bool { return g.answers(t) })
	assertEcho(t, g.reach(t, mailHost, mail), "by the new certificate")
	assertEcho(t, open, "and what was open stays so")
	eventually(t, "the metric says that the files are usable", func() bool { return g.usable(t, "credentials") == 1 })
}

// answers tells whether the gateway takes a request of the chat server: in TLS 1.3 a client that has finished its
// handshake is yet to be judged.
func (g *gateway) answers(t *testing.T) bool {
	t.Helper()
	conn := tls.Client(g.tcp(t), g.chatServerTLS(t))
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, connectTo(mail)); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 1))
	return n == 1 && err == nil
}

func TestCredentialsMustBeThereAtTheStart(t *testing.T) {
	ca := newAuthority(t)
	for name, spoil := range map[string]func(egress.CredentialFiles) error{
		"no key":           func(f egress.CredentialFiles) error { return os.Remove(f.KeyFile) },
		"a broken key":     func(f egress.CredentialFiles) error { return os.WriteFile(f.KeyFile, []byte("x"), 0o600) },
		"roots of nobody":  func(f egress.CredentialFiles) error { return os.WriteFile(f.CAFile, nil, 0o600) },
		"no file of roots": func(f egress.CredentialFiles) error { return os.Remove(f.CAFile) },
	} {
		t.Run(name, func(t *testing.T) {
			files := credentialFiles(t, t.TempDir(), ca.server(t, gateHost), ca)
			if err := spoil(files); err != nil {
				t.Fatal(err)
			}
			if _, err := egress.NewCredentials(files); err == nil {
				t.Error("no error")
			}
		})
	}
}

// watched are files that the gateway under test follows.
type watched struct{ configFile, keyFile string }

// startFiles lets the gateway follow its files, as the command does.
func (g *gateway) startFiles(t *testing.T) (watched, func()) {
	t.Helper()
	w := watched{filepath.Join(g.dir, "egress.yaml"), filepath.Join(g.dir, "tls.key")}
	w.write(t, config(nil, recipient("mailer", mail)))
	files := &egress.Files{
		Server: g.Server, ConfigFile: w.configFile, Credentials: g.credentials, Metrics: g.metrics,
		Clock: clock.RealClock{}, Log: g.logger(),
	}
	if err := files.Load(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextOf(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		files.Run(ctx)
	}()
	return w, func() { cancel(); <-ended }
}

func (g *gateway) usable(t *testing.T, file string) float64 {
	t.Helper()
	return g.metric(t, "configuration_ok", file)
}
