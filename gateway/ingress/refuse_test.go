// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chattenant/chattenant/gateway/hello/hellotest"
	"github.com/chattenant/chattenant/gateway/ingress"
)

// Alerts as they must arrive: record type 21, version, length 2, fatal, description.
var (
	unrecognizedName = []byte{21, 3, 3, 0, 2, 2, 112}
	missingExtension = []byte{21, 3, 3, 0, 2, 2, 109}
	internalError    = []byte{21, 3, 3, 0, 2, 2, 80}
)

func TestWhatLeadsToNoTenantIsRefused(t *testing.T) {
	kelvin := strings.Replace("chat.kiosk.example", "k", "\u212a", 1)
	tests := map[string]struct {
		hello  []byte
		result ingress.Result
		answer []byte
	}{
		"an unknown name": {
			hellotest.For(t, "chat.other.example"), ingress.ResultUnknownName, unrecognizedName,
		},
		"a name below a known one": {
			hellotest.For(t, "x.chat.acme.example"), ingress.ResultUnknownName, unrecognizedName,
		},
		"a name above a known one":    {hellotest.For(t, "acme.example"), ingress.ResultUnknownName, unrecognizedName},
		"a wildcard":                  {hellotest.For(t, "*.acme.example"), ingress.ResultUnknownName, unrecognizedName},
		"no name":                     {hellotest.WithoutName(t), ingress.ResultNoName, missingExtension},
		"an IPv4 address":             {hellotest.For(t, "127.0.0.1"), ingress.ResultNoName, missingExtension},
		"an IPv6 address":             {hellotest.For(t, "::ffff:127.0.0.1"), ingress.ResultNoName, missingExtension},
		"an IPv6 address in brackets": {hellotest.For(t, "[::1]"), ingress.ResultNoName, missingExtension},
		"a name beyond ASCII":         {hellotest.For(t, kelvin), ingress.ResultNoName, missingExtension},
		"a name with a zero byte":     {hellotest.For(t, acmeHost+"\x00.x"), ingress.ResultNoName, missingExtension},
		"a name that is too long": {
			hellotest.For(t, strings.Repeat("a.", 127)+"b"), ingress.ResultNoName, missingExtension,
		},
		"only an encrypted name": {
			hellotest.WithExtension(t, hellotest.WithoutName(t), 0xfe0d, hellotest.OuterECH()),
			ingress.ResultNoName, missingExtension,
		},
		"a name with a trailing dot": {hellotest.For(t, acmeHost+"."), ingress.ResultNotTLS, nil},
		"two server_name extensions": {
			hellotest.WithExtension(t, hellotest.For(t, acmeHost), 0, sniBody(initHost)), ingress.ResultNotTLS, nil,
		},
		"a hello longer than allowed": {
			hellotest.WithExtension(t, hellotest.For(t, acmeHost), 21, make([]byte, 15<<10+512)), ingress.ResultNotTLS, nil,
		},
		"HTTP": {
			[]byte("GET / HTTP/1.1\r\nHost: chat.acme.example\r\n\r\n"), ingress.ResultNotTLS, nil,
		},
		"a TLS record of another type":  {[]byte{23, 3, 3, 0, 3, 1, 2, 3}, ingress.ResultNotTLS, nil},
		"a message other than a hello":  {[]byte{22, 3, 3, 0, 4, 2, 0, 0, 0}, ingress.ResultNotTLS, nil},
		"a record beyond the TLS limit": {[]byte{22, 3, 1, 0xff, 0xff, 1, 0, 0, 1}, ingress.ResultNotTLS, nil},
		"records without content":       {bytes.Repeat([]byte{22, 3, 1, 0, 0}, 40), ingress.ResultNotTLS, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			g.serveTenant(acmeHost, "acme", "127.0.0.1:1")
			g.serveTenant("chat.kiosk.example", "kiosk", "127.0.0.1:1")
			answer := assertClosed(t, g.send(t, test.hello))
			if diff := cmp.Diff(test.answer, answer, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if got := g.decided(t, test.result); got != 1 {
				t.Errorf("counted %v times as %s, want once", got, test.result)
			}
		})
	}
}

// sniBody is a server_name extension's content.
func sniBody(name string) []byte {
	n := byte(len(name) & 0xff)
	return append([]byte{0, n + 3, 0, 0, n}, name...)
}

func TestAClientUnderstandsTheRefusal(t *testing.T) {
	g := startGateway(t, nil)
	err := tls.Client(g.connect(t), &tls.Config{ServerName: "nobody.example"}).HandshakeContext(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("Handshake: %v, want: unrecognized name", err)
	}
}

func TestASlowHelloIsCut(t *testing.T) {
	const limit = 200 * time.Millisecond
	g := startGateway(t, func(c *ingress.Config) { c.HandshakeTimeout = limit })
	g.serveTenant(acmeHost, "acme", "127.0.0.1:1")
	start := time.Now()
	conn := g.connect(t)
	go func() { // one byte every 10 ms: never idle, never done in time
		_, _ = (&dribble{Conn: conn, pause: 10 * time.Millisecond}).Write(hellotest.For(t, acmeHost))
	}()
	assertClosed(t, conn)
	if took := time.Since(start); took < limit || took > limit+patience/4 {
		t.Errorf("cut after %s, want about %s", took, limit)
	}
	if got := g.decided(t, ingress.ResultHandshakeTimeout); got != 1 {
		t.Errorf("handshake time-outs counted: %v, want 1", got)
	}
}

func TestAClientThatLeavesEarlyIsNoError(t *testing.T) {
	g := startGateway(t, nil)
	_ = g.connect(t).Close()
	_ = g.send(t, hellotest.For(t, acmeHost)[:20]).Close()
	eventually(t, "both are counted", func() bool { return g.decided(t, ingress.ResultClientGone) == 2 })
}

func TestATenantThatIsDownIsSaidSo(t *testing.T) {
	g := startGateway(t, nil)
	tenant := startTenant(t, echo)
	g.serveTenant(acmeHost, "acme", tenant.addr)
	g.serveTenant(initHost, "initech", "127.0.0.1:1")
	if diff := cmp.Diff(internalError, assertClosed(t, g.send(t, hellotest.For(t, initHost)))); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if got := g.decided(t, ingress.ResultUpstreamUnavailable); got != 1 {
		t.Errorf("unavailable upstreams counted: %v, want 1", got)
	}
	if !strings.Contains(g.log(), "initech") {
		t.Errorf("the log does not name the tenant: %s", g.log())
	}
}

func TestAFloodTowardsATenantThatIsDownLogsOnce(t *testing.T) {
	g := startGateway(t, nil)
	g.serveTenant(initHost, "initech", "127.0.0.1:1")
	const interval = 10 * time.Second
	start := time.Now()
	for range 50 {
		assertClosed(t, g.send(t, hellotest.For(t, initHost)))
	}
	most := 1 + int(time.Since(start)/interval)
	if got := strings.Count(g.log(), "chat server unavailable"); got < 1 || got > most {
		t.Errorf("logged %d times, want once every %s:\n%s", got, interval, g.log())
	}
}

func TestClientAddressesAreLoggedNowhere(t *testing.T) {
	g := startGateway(t, nil)
	g.serveTenant(initHost, "initech", "127.0.0.1:1")
	conn := g.send(t, hellotest.For(t, initHost))
	assertClosed(t, conn)
	assertClosed(t, g.send(t, []byte("not TLS at all\n")))
	if strings.Contains(g.log(), conn.LocalAddr().String()) {
		t.Errorf("the log holds the client's address:\n%s", g.log())
	}
}
