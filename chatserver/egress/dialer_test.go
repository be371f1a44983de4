// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/egress"
	"github.com/chattenant/chattenant/chatserver/egress/egresstest"
)

const mailer = "smtp.mailer.example:465"

// says answers a CONNECT with these words, and then waits for the client to end.
func says(words string) func(string, *tls.Conn) {
	return func(_ string, client *tls.Conn) {
		_, _ = io.WriteString(client, words)
		_, _ = io.Copy(io.Discard, client)
	}
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

func dial(t *testing.T, g *egresstest.Gateway) (net.Conn, error) {
	t.Helper()
	conn, err := egress.New(g.Client).DialContext(t.Context(), "tcp", mailer)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

func TestAConnectionCarriesWhatTheRecipientSaysFromTheFirstByte(t *testing.T) {
	g := egresstest.Start(t, says(established+"220 ready")) // in one piece with the gateway's own answer
	conn, err := dial(t, g)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 9)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "220 ready" {
		t.Errorf("read %q, %v", got, err)
	}
	if asked := g.Asked(); !slices.Equal(asked, []string{"CONNECT " + mailer}) {
		t.Errorf("asked %q", asked)
	}
}

func TestEveryReasonHasASentenceOfItsOwn(t *testing.T) {
	for _, reason := range egressconfig.Reasons() {
		err := &egress.DeniedError{Target: mailer, Reason: reason}
		if text := err.Error(); strings.Contains(text, "does not know") || !strings.Contains(text, mailer) ||
			!strings.Contains(text, string(reason)) {
			t.Errorf("%s: %s", reason, text)
		}
	}
}

func TestAHeadersReasonIsTheDialsError(t *testing.T) {
	for _, reason := range []egressconfig.Reason{egressconfig.ReasonNotDeclared, egressconfig.ReasonTotalLimit, "New"} {
		_, err := dial(t, egresstest.Start(t, egresstest.Deny(reason)))
		var denied *egress.DeniedError
		if !errors.As(err, &denied) || denied.Reason != reason || denied.Target != mailer {
			t.Errorf("%s: got %v", reason, err)
		}
	}
}

func TestOnlyTheGatewaysAlertsAreItsReasons(t *testing.T) {
	alert := func(description byte) string { return string([]byte{21, 3, 3, 0, 2, 2, description}) }
	for _, reason := range egressconfig.Reasons() {
		if reason.Alert() == 0 {
			continue
		}
		conn, err := dial(t, egresstest.Start(t, says(established+alert(reason.Alert()))))
		if err != nil {
			t.Fatal(err)
		}
		var denied *egress.DeniedError
		if err := tls.Client(conn, &tls.Config{ServerName: "smtp.mailer.example", MinVersion: tls.VersionTLS12}).
			HandshakeContext(t.Context()); !errors.As(err, &denied) || denied.Reason != reason {
			t.Errorf("%s: got %v", reason, err)
		}
	}
	conn, err := dial(t, egresstest.Start(t, says(established+alert(40)))) // handshake_failure, the recipient's
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != alert(40) {
		t.Errorf("read %x, %v", got, err)
	}
}

func TestAReadDeadlineBeforeTheFirstByteIsNoVerdict(t *testing.T) {
	later := make(chan struct{})
	g := egresstest.Start(t, func(_ string, client *tls.Conn) {
		_, _ = io.WriteString(client, established)
		<-later
		_, _ = io.WriteString(client, "hello")
		_, _ = io.Copy(io.Discard, client)
	})
	conn, err := dial(t, g)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	close(later)
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestAGatewayThatCannotBeAskedIsUnavailable(t *testing.T) {
	for name, change := range map[string]func(*egressconfig.Client){
		"nobody listens": func(c *egressconfig.Client) { c.Address = "127.0.0.1:1" },
		"another name":   func(c *egressconfig.Client) { c.ServerName = "egress.chat-other.svc" },
		"another authority": func(c *egressconfig.Client) {
			c.CAFile = certtest.NewCA(t).WriteCert(t, filepath.Join(t.TempDir(), "ca.crt"))
		},
		"a stranger's certificate": func(c *egressconfig.Client) {
			pair := certtest.NewCA(t).Write(t, t.TempDir(), certtest.Leaf{CommonName: "chatserver"})
			c.CertFile, c.KeyFile = pair.CertFile, pair.KeyFile
		},
		"no key":   func(c *egressconfig.Client) { c.KeyFile = "missing" },
		"no roots": func(c *egressconfig.Client) { c.CAFile = c.KeyFile },
	} {
		t.Run(name, func(t *testing.T) {
			g := egresstest.Start(t, says(established))
			change(&g.Client)
			if _, err := dial(t, g); !errors.Is(err, egress.ErrGatewayUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, words := range map[string]string{
		"garbage": "220 smtp\r\n\r\n", "nothing": "", "endless": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
		"an error": "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := egresstest.Start(t, func(_ string, client *tls.Conn) { _, _ = io.WriteString(client, words) })
			if _, err := dial(t, g); !errors.Is(err, egress.ErrGatewayUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAGatewayThatDoesNotAnswerIsLeftWithTheContext(t *testing.T) {
	g := egresstest.Start(t, says(""))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := egress.New(g.Client).DialContext(ctx, "tcp", mailer)
	if !errors.Is(err, egress.ErrGatewayUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestARenewedCertificateIsShownAtTheNextConnection(t *testing.T) {
	g := egresstest.Start(t, egresstest.Deny(egressconfig.ReasonNotDeclared))
	dialer := egress.New(g.Client)
	certtest.NewCA(t).Write(t, filepath.Dir(g.Client.CertFile), certtest.Leaf{CommonName: "chatserver"})
	if _, err := dialer.DialContext(t.Context(), "tcp", mailer); !errors.Is(err, egress.ErrGatewayUnavailable) {
		t.Fatalf("a stranger's certificate: %v", err)
	}
	g.CA.Write(t, filepath.Dir(g.Client.CertFile), certtest.Leaf{CommonName: "chatserver"})
	var denied *egress.DeniedError
	if _, err := dialer.DialContext(t.Context(), "tcp", mailer); !errors.As(err, &denied) {
		t.Errorf("after the renewal: %v", err)
	}
}

func TestWhatCannotBeDeclaredIsNotEvenAskedFor(t *testing.T) {
	g := egresstest.Start(t, says(established))
	for _, target := range []string{"10.0.0.1:443", "[::1]:443", "Mailer.example:443", "mailer.example.:443", "mailer"} {
		var denied *egress.DeniedError
		_, err := egress.New(g.Client).DialContext(t.Context(), "tcp", target)
		if !errors.As(err, &denied) || denied.Reason != egressconfig.ReasonMalformedTarget {
			t.Errorf("%s: got %v", target, err)
		}
	}
	if _, err := egress.New(g.Client).DialContext(t.Context(), "udp", mailer); err == nil {
		t.Error("UDP passed")
	}
	if asked := g.Asked(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}
