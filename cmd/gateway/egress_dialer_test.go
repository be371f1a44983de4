// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	chategress "github.com/chattenant/chattenant/chatserver/egress"
	"github.com/chattenant/chattenant/gateway/egress"
	"github.com/chattenant/chattenant/gateway/socket"
	"github.com/chattenant/chattenant/test/loopback"
)

// fixedDNS knows every host, at a public address that only the test's dialler leads anywhere from.
type fixedDNS struct{ private bool }

func (d fixedDNS) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if d.private {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("50.0.0.1")}, nil
}

// startPair runs a real gateway and returns a chat server's dialler for it. Whatever is dialled leads to recipient.
func startPair(t *testing.T, dns fixedDNS, recipient string) *chategress.Dialer {
	t.Helper()
	_, dir, _ := egressFiles(t)
	cert, key, ca := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")
	credentials, err := egress.NewCredentials(egress.CredentialFiles{CertFile: cert, KeyFile: key, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	server := egress.New(egress.Options{
		TLS: credentials.TLS, Resolver: dns, Metrics: egress.NewMetrics(prometheus.NewRegistry()),
		Clock: clock.RealClock{}, Log: logr.Discard(),
		Dial: func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
			return new(net.Dialer).DialTCP(ctx, "tcp", netip.AddrPort{}, netip.MustParseAddrPort(recipient))
		},
	})
	server.Apply(egressconfig.New("acme", []egressconfig.Recipient{
		{Name: "mailer", Endpoints: []egressconfig.Endpoint{{Host: "api.mailer.example", Port: 443}}},
	}))
	listener, err := socket.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return chategress.New(egressconfig.Client{
		Address: listener.Addr().String(), ServerName: "egress.chat-acme.svc",
		CertFile: cert, KeyFile: key, CAFile: ca,
	})
}

// insecure is an HTTP client that takes any certificate of a recipient: whose it is, is not what these tests are about.
func insecure(t *testing.T, dialer *chategress.Dialer) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: patience, Transport: transport}
}

func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func startRecipient(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestChatServerAndGatewayUnderstandEachOther holds the two ends to each other, which import nothing of one another.
func TestChatServerAndGatewayUnderstandEachOther(t *testing.T) {
	recipient := startRecipient(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	https := insecure(t, startPair(t, fixedDNS{}, recipient))
	if body, err := get(t, https, "https://api.mailer.example/"); err != nil || body != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestEveryRefusalReachesTheCallerAsItsReason(t *testing.T) {
	recipient := startRecipient(t, func(http.ResponseWriter, *http.Request) {})
	for name, test := range map[string]struct {
		dns        fixedDNS
		recipient  string
		target     string
		serverName string
		want       egressconfig.Reason
	}{
		"not declared": {fixedDNS{}, recipient, "evil.example:443", "", egressconfig.ReasonNotDeclared},
		"another port": {fixedDNS{}, recipient, "api.mailer.example:80", "", egressconfig.ReasonNotDeclared},
		"an address":   {fixedDNS{}, recipient, "10.0.0.1:443", "", egressconfig.ReasonMalformedTarget},
		"upper case":   {fixedDNS{}, recipient, "API.mailer.example:443", "", egressconfig.ReasonMalformedTarget},
		"a private address": {
			fixedDNS{private: true}, recipient, "api.mailer.example:443", "", egressconfig.ReasonAddressRefused,
		},
		"another name": {
			fixedDNS{}, recipient, "api.mailer.example:443", "evil.example", egressconfig.ReasonServerNameMismatch,
		},
		"nobody there": {
			fixedDNS{}, loopback.Address(t), "api.mailer.example:443", "api.mailer.example", egressconfig.ReasonUnreachable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := startPair(t, test.dns, test.recipient).DialContext(t.Context(), "tcp", test.target)
			if err == nil {
				defer func() { _ = conn.Close() }()
				config := &tls.Config{ServerName: test.serverName, MinVersion: tls.VersionTLS12}
				err = tls.Client(conn, config).HandshakeContext(t.Context())
			}
			var denied *chategress.DeniedError
			if !errors.As(err, &denied) || denied.Reason != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if !strings.Contains(err.Error(), test.target) {
				t.Errorf("%q does not name the target", err)
			}
		})
	}
}

func TestARedirectToAnUndeclaredHostIsDenied(t *testing.T) {
	recipient := startRecipient(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example/", http.StatusFound)
	})
	https := insecure(t, startPair(t, fixedDNS{}, recipient))
	_, err := get(t, https, "https://api.mailer.example/")
	var denied *chategress.DeniedError
	if !errors.As(err, &denied) || denied.Target != "evil.example:443" {
		t.Errorf("got %v", err)
	}
}
