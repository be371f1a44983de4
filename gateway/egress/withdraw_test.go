// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/egress"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

// write replaces the file at once, as kubelet does.
func (w watched) write(t *testing.T, c *egressconfig.EgressConfiguration) {
	t.Helper()
	content, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.replace(t, content)
}

func (w watched) replace(t *testing.T, content []byte) {
	t.Helper()
	if err := os.WriteFile(w.configFile+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(w.configFile+".new", w.configFile); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsDeclaredNoLongerIsCutAndTheRestGoesOn(t *testing.T) {
	both := []egressconfig.Recipient{recipient("mailer", mail), recipient("crm", crmHost+":443")}
	for name, after := range map[string][]egressconfig.Recipient{
		"the recipient is gone":     {both[1]},
		"it has another port":       {recipient("mailer", mailHost+":8443"), both[1]},
		"it has another host":       {recipient("mailer", "other.mailer.example:443"), both[1]},
		"the endpoint is another's": {recipient("other", mail), both[1]},
		"another comes to share it": {recipient("a", mail), both[0], both[1]},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			g.serveCRM(t)
			g.Apply(config(nil, both...))
			mailer, crm := g.reach(t, mailHost, mail), g.reach(t, crmHost, crmHost+":443")
			g.Apply(config(nil, after...))
			assertClosed(t, mailer)
			assertEcho(t, crm, "still here")
			g.assertDecided(t, egress.ResultCut)
		})
	}
}

func TestAChangeThatTouchesNobodyCutsNobody(t *testing.T) {
	g := startGateway(t, nil)
	conn := g.reach(t, mailHost, mail)
	g.Apply(config(func(l *egressconfig.Limits) { l.IdleSeconds = 77 },
		recipient("mailer", mailHost+":465", mail), recipient("new", crmHost+":443")))
	assertEcho(t, conn, "still here")
}

func TestNothingIsReachableBeforeTheFirstConfiguration(t *testing.T) {
	g := startGateway(t, nil)
	g.Apply(config(nil))
	c, response := g.ask(t, connectTo(mail))
	assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonNotDeclared)
	g.assertUntouched(t)
}

// slowResolver answers only when it is told to.
type slowResolver struct {
	asked, open chan struct{}
}

func (r *slowResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	close(r.asked)
	select {
	case <-r.open:
		return []netip.Addr{netip.MustParseAddr(mailAddr)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestARecipientWithdrawnWhileItsNameIsLookedUpIsNotDialled(t *testing.T) {
	resolver := &slowResolver{asked: make(chan struct{}), open: make(chan struct{})}
	g := startGatewayWith(t, nil, func(o *egress.Options) { o.Resolver = resolver })
	c := g.client(t)
	c.send(connectTo(mail) + string(helloFor(t, mailHost)))
	<-resolver.asked
	g.Apply(config(nil))
	assertClosed(t, c)
	g.assertDecided(t, egressconfig.ReasonWithdrawn)
	g.assertNotDialled(t)
}

func TestARecipientWithdrawnWhileItIsDialledIsNotConnected(t *testing.T) {
	g := startGateway(t, nil)
	g.outside.neverAnswer(mailAddr + ":443")
	c := g.establish(t, mail)
	c.send(string(helloFor(t, mailHost)))
	eventually(t, "it is dialled", func() bool { return len(g.outside.dials()) == 1 })
	g.Apply(config(nil))
	assertClosed(t, c)
	g.assertDecided(t, egressconfig.ReasonWithdrawn)
}

func TestAChangedFileComesIntoForceAndABrokenOneDoesNot(t *testing.T) {
	g := startGateway(t, nil)
	g.serveCRM(t)
	file, stop := g.startFiles(t)
	defer stop()
	conn := g.reach(t, mailHost, mail)

	file.replace(t, []byte("recipients: all of them"))
	eventually(t, "the broken file is noticed", func() bool { return g.usable(t, "configuration") == 0 })
	assertEcho(t, conn, "as before")
	if g.Ready() != nil {
		t.Error("a broken file took the gateway out of service")
	}

	file.write(t, config(nil, recipient("crm", crmHost+":443")))
	assertClosed(t, conn)
	assertEcho(t, g.reach(t, crmHost, crmHost+":443"), "hello")
	eventually(t, "the metric says that the file is usable", func() bool { return g.usable(t, "configuration") == 1 })
	digest, err := config(nil, recipient("crm", crmHost+":443")).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if g.metric(t, "configuration_info", digest) != 1 {
		t.Errorf("no series names the digest in force, %s", digest)
	}
	eventually(t, "the log says that it is", func() bool { return strings.Contains(g.log(), "file usable again") })
	if n := strings.Count(g.log(), "file unusable"); n != 1 {
		t.Errorf("the log says that it was not %d times", n)
	}
}

func TestAFileThatVanishesChangesNothing(t *testing.T) {
	g := startGateway(t, nil)
	file, stop := g.startFiles(t)
	defer stop()
	if err := os.Remove(file.configFile); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is noticed", func() bool { return g.usable(t, "configuration") == 0 })
	assertEcho(t, g.reach(t, mailHost, mail), "as before")
}

func TestAGatewayDoesNotStartWithAFileItCannotUse(t *testing.T) {
	g := startGateway(t, nil)
	for name, content := range map[string]string{"none": "", "another version": "apiVersion: x\n"} {
		t.Run(name, func(t *testing.T) {
			file := t.TempDir() + "/egress.yaml"
			if content != "" {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			files := &egress.Files{
				Server: g.Server, ConfigFile: file, Credentials: g.credentials, Metrics: g.metrics,
				Clock: clock.RealClock{}, Log: g.logger(),
			}
			if err := files.Load(); err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestARedirectLeadsNowhereElse: a client that follows one asks for a new connection, which is judged by itself.
func TestARedirectLeadsNowhereElse(t *testing.T) {
	g := startGateway(t, nil)
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{g.outsideCA.server(t, mailHost)}}
	g.outside.at(mailAddr+":443", startServer(t, func(conn *net.TCPConn) {
		secured := tls.Server(conn, config)
		if _, err := secured.Read(make([]byte, 4096)); err == nil {
			_, _ = secured.Write([]byte("HTTP/1.1 307 Temporary Redirect\r\nLocation: https://evil.example/\r\n" +
				"Content-Length: 0\r\nConnection: close\r\n\r\n"))
		}
	}))
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: g.outsideCA.roots()},
		DialContext: func(_ context.Context, _, target string) (net.Conn, error) {
			c, response := g.ask(t, connectTo(target))
			if response.StatusCode != http.StatusOK {
				return nil, &net.OpError{Op: "dial", Err: net.UnknownNetworkError(response.Reason)}
			}
			return c, nil
		},
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+mailHost+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), string(egressconfig.ReasonNotDeclared)) {
		t.Errorf("got %v, want %s", err, egressconfig.ReasonNotDeclared)
	}
	if dialled := g.outside.dials(); len(dialled) != 1 {
		t.Errorf("dialled %s", dialled)
	}
}
