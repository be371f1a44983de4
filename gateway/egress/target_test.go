// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
)

func TestADeclaredRecipientIsReachedByName(t *testing.T) {
	g := startGateway(t, nil)
	assertEcho(t, g.reach(t, mailHost, mail), "hello")
	if dialled := g.outside.dials(); len(dialled) != 1 || dialled[0] != mailAddr+":443" {
		t.Errorf("dialled %s", dialled)
	}
	if asked := g.dns.questions(); len(asked) != 1 || asked[0] != mailHost+"." {
		t.Errorf("DNS was asked for %s: the name must be absolute, and nothing else be asked", asked)
	}
}

// TestOnlyTheExactTargetIsDeclared tries what a reader less strict than the declaration might take for it.
func TestOnlyTheExactTargetIsDeclared(t *testing.T) {
	const malformed, undeclared = egressconfig.ReasonMalformedTarget, egressconfig.ReasonNotDeclared
	g := startGateway(t, nil)
	for target, reason := range map[string]egressconfig.Reason{
		"api.mailer.example.:443":                malformed, // trailing dot
		"API.mailer.example:443":                 malformed, // upper case
		"[api.mailer.example]:443":               malformed,
		"50.0.0.1:443":                           malformed, // the very address that the name has
		"[::1]:443":                              malformed,
		"[::ffff:50.0.0.1]:443":                  malformed, // IPv4-mapped
		"[::50.0.0.1]:443":                       malformed, // IPv4-compatible
		"[64:ff9b::50.0.0.1]:443":                malformed, // NAT64
		"838860801:443":                          malformed, // decimal
		"0x32000001:443":                         malformed, // hexadecimal
		"062.0.0.1:443":                          malformed, // octal
		"0x32.0.0.0x1:443":                       malformed,
		"50.1:443":                               malformed, // short
		"user@api.mailer.example:443":            malformed,
		"user:word@api.mailer.example:443":       malformed,
		"api.mailer.example:443@evil.example":    malformed,
		"evil.example:443@api.mailer.example":    malformed,
		"api.mailer.example:0443":                malformed,
		"api.mailer.example:+443":                malformed,
		"api.mailer.example:443:443":             malformed,
		"api.mailer.example:65979":               malformed, // 443 + 2^16
		"api.mailer.example:4294967739":          malformed, // 443 + 2^32
		"api.mailer.example":                     malformed,
		"api.mailer.example:":                    malformed,
		"api.mailer.example:https":               malformed,
		"/":                                      malformed,
		"*":                                      malformed,
		"https://api.mailer.example:443":         malformed,
		"//api.mailer.example:443":               malformed,
		"api.mailer.example:443/":                malformed,
		"api.mailer.example:443?":                malformed,
		"api.mailer.example:443#":                malformed,
		"api%2emailer.example:443":               malformed,
		"api.mailer.example%00.evil.com:443":     malformed,
		"api.mailer.example:80":                  undeclared, // another port
		"api.mailer.example:8443":                undeclared,
		"x.api.mailer.example:443":               undeclared,
		"mailer.example:443":                     undeclared,
		"evil-api.mailer.example:443":            undeclared,
		"api.mailer.example.evil.example:443":    undeclared,
		"kubernetes.default.svc:443":             undeclared,
		"c2VjcmV0.exfiltration.example:443":      malformed,
		"secret.exfiltration.example:443":        undeclared,
		"xn--api-9f0a.mailer.example:443":        undeclared,
		"localhost:443":                          malformed,
		"metadata.google.internal:443":           undeclared,
		strings.Repeat("a.", 130) + "b:443":      malformed,
		strings.Repeat("a", 64) + ".example:443": malformed,
	} {
		t.Run(target, func(t *testing.T) {
			c, response := g.ask(t, connectTo(target))
			if response.StatusCode == http.StatusBadRequest { // the HTTP parser was stricter still
				reason = egressconfig.ReasonMalformedRequest
			}
			assertDenied(t, c, response, response.StatusCode, reason)
			if response.StatusCode < http.StatusBadRequest {
				t.Errorf("answered %d", response.StatusCode)
			}
		})
	}
	g.assertUntouched(t)
}

func TestTheHostHeaderHasNoSay(t *testing.T) {
	g := startGateway(t, nil)
	c, response := g.ask(t, "CONNECT evil.example:443 HTTP/1.1\r\nHost: "+mail+"\r\n\r\n")
	assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonNotDeclared)
	g.assertUntouched(t)

	c, response = g.ask(t, "CONNECT "+mail+" HTTP/1.1\r\nHost: evil.example:443\r\n\r\n")
	if response.StatusCode != http.StatusOK {
		t.Fatalf("answered %+v", response)
	}
	conn := tls.Client(c, &tls.Config{ServerName: mailHost, RootCAs: g.outsideCA.roots()})
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dialled := g.outside.dials(); len(dialled) != 1 || dialled[0] != mailAddr+":443" {
		t.Errorf("dialled %s", dialled)
	}
}

func TestOnlyConnectOverHTTP1IsAnswered(t *testing.T) {
	for name, request := range map[string]string{
		"an absolute URI":   "GET https://" + mailHost + "/ HTTP/1.1\r\nHost: " + mailHost + "\r\n\r\n",
		"a plain URI":       "GET http://" + mailHost + ":443/ HTTP/1.1\r\nHost: " + mailHost + "\r\n\r\n",
		"a path":            "GET / HTTP/1.1\r\nHost: " + mailHost + "\r\n\r\n",
		"POST":              "POST https://" + mailHost + "/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"OPTIONS *":         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"connect":           "connect " + mail + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"HTTP/1.0":          "CONNECT " + mail + " HTTP/1.0\r\n\r\n",
		"HTTP/2":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/2 in the URI": "CONNECT " + mail + " HTTP/2.0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			c, response := g.ask(t, request)
			assertDenied(t, c, response, http.StatusMethodNotAllowed, egressconfig.ReasonMethodNotAllowed)
			g.assertDecided(t, egressconfig.ReasonMethodNotAllowed)
			g.assertUntouched(t)
		})
	}
}

// TestNoSecondRequestIsReadFromOne tries to have more than one request seen, or bytes taken for a body.
func TestNoSecondRequestIsReadFromOne(t *testing.T) {
	head := "CONNECT " + mail + " HTTP/1.1\r\nHost: " + mail + "\r\n"
	for name, request := range map[string]string{
		"Content-Length":          head + "Content-Length: 5\r\n\r\nhello",
		"Content-Length of 0":     head + "Content-Length: 0\r\n\r\n",
		"two Content-Lengths":     head + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
		"a negative length":       head + "Content-Length: -1\r\n\r\n",
		"chunks":                  head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + connectTo(mail),
		"chunks and length":       head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"an unknown encoding":     head + "Transfer-Encoding: xchunked\r\n\r\n",
		"two encodings":           head + "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"a trailer":               head + "Trailer: X\r\n\r\n",
		"an expectation":          head + "Expect: 100-continue\r\n\r\n",
		"an upgrade":              head + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
		"a space before a colon":  head + "Content-Length : 5\r\n\r\nhello",
		"a folded header":         head + "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		"a header without a name": head + ": x\r\n\r\n",
		"a line without a colon":  head + "no header\r\n\r\n",
		"no request line":         "\r\n\r\n" + head + "\r\n",
		"a zero byte":             "CONNECT " + mail + "\x00 HTTP/1.1\r\n\r\n",
		"TLS in the clear":        "\x16\x03\x01\x02\x00\x01\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			c, response := g.ask(t, request)
			assertDenied(t, c, response, http.StatusBadRequest, egressconfig.ReasonMalformedRequest)
			g.assertDecided(t, egressconfig.ReasonMalformedRequest)
			g.assertUntouched(t)
		})
	}
}

func TestAFloodOfHeadersIsCutShort(t *testing.T) {
	for name, request := range map[string]string{
		"one long header": "CONNECT " + mail + " HTTP/1.1\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n",
		"many headers":    "CONNECT " + mail + " HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n",
		"a long target":   "CONNECT " + strings.Repeat("a.", 20<<10) + "b:443 HTTP/1.1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			c, response := g.ask(t, request)
			assertDenied(t, c, response, http.StatusRequestHeaderFieldsTooLarge, egressconfig.ReasonMalformedRequest)
			g.assertUntouched(t)
		})
	}
}

// TestARequestAfterTheRequestIsNotOne sends a second CONNECT where the recipient's TLS belongs.
func TestARequestAfterTheRequestIsNotOne(t *testing.T) {
	g := startGateway(t, nil)
	g.Apply(config(nil, recipient("mailer", mail), recipient("crm", crmHost+":443")))
	c, response := g.ask(t, connectTo(mail)+connectTo(crmHost+":443"))
	if response.StatusCode != http.StatusOK {
		t.Fatalf("answered %+v", response)
	}
	assertAlert(t, c, egressconfig.ReasonNotTLS)
	g.assertNotDialled(t)
}

// TestARefusedClientIsListenedToForAMoment: a connection that is closed with bytes unread is reset, and while the
// client is still sending, the reset may overtake the answer.
func TestARefusedClientIsListenedToForAMoment(t *testing.T) {
	g := startGateway(t, nil)
	c := g.client(t)
	// The gateway's moment, a second, begins after this.
	start := time.Now()
	c.send(connectTo("evil.example:443") + strings.Repeat("x", 32<<10))
	if got := c.response(t).Reason; got != egressconfig.ReasonNotDeclared {
		t.Errorf("refused for %q", got)
	}
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		_, err := c.NetConn().Write([]byte("still sending"))
		if err != nil && time.Since(start) < time.Second {
			t.Fatalf("reset: %v", err)
		}
	}
}
