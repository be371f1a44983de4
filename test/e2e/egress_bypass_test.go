// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// TestNoWayLeadsRoundTheEgressGateway tries on a real gateway, with its client's own certificate and from its client's
// own pod, whatever may lead to somebody who is not declared. Each way is a row of the isolation report, with the
// gateway's own reason.
func TestNoWayLeadsRoundTheEgressGateway(t *testing.T) {
	withResidents(t, exporterTenant)
	awaitReachable(t)
	way := wayOut(t, exporter)
	for _, part := range []struct {
		name string
		try  func(*testing.T, *exit)
	}{
		{"targets", targetsAreExact}, {"requests", requestsAreConnects}, {"hellos", hellosNameTheTarget},
		{"names", namesLeadOutwards}, {"clients", clientsAreTheChatServer}, {"detours", nothingGoesPast},
	} {
		t.Run(part.name, func(t *testing.T) { part.try(t, way) })
	}
}

// awaitReachable waits until every gateway of the exporter passes on what is declared: a refusal before proves nothing.
func awaitReachable(t *testing.T) {
	t.Helper()
	way := wayOut(t, exporter)
	r := record(t, sectionEgress, "no way round: the declared host itself, by its name")
	// Often enough to have asked each gateway.
	for range 8 {
		_ = way.hold(t, usedHost).Close()
		r.opened("shaken hands with %s", usedHost)
	}
}

// refusedFor fails the test unless each of the tries was refused for one of the reasons, and makes a row of them.
func refusedFor(
	t *testing.T, name string, tries []string, try func(string) string, reasons ...egressconfig.Reason,
) {
	t.Helper()
	r := record(t, sectionEgress, name)
	var given []string
	for _, what := range tries {
		got := try(what)
		if !slices.Contains(reasons, egressconfig.Reason(got)) {
			r.otherwise("%q: %s", what, got)
			t.Errorf("%s: %q was answered %q, want %v", name, what, got, reasons)
			continue
		}
		if !slices.Contains(given, got) {
			given = append(given, got)
		}
		r.refused("%s", strings.Join(given, ", "))
	}
}

// targetsAreExact asks for targets that mean, or might be taken to mean, something other than they say.
func targetsAreExact(t *testing.T, way *exit) {
	const malformed = egressconfig.ReasonMalformedTarget
	for _, tc := range []struct {
		name    string
		reasons []egressconfig.Reason
		targets []string
	}{
		{"a host that nobody declared", []egressconfig.Reason{egressconfig.ReasonNotDeclared},
			[]string{unusedHost + ":443", "www." + usedHost + ":443", "x" + usedHost + ":443", usedHost + ".mail.example:443"}},
		{"a recipient whose period has not begun", []egressconfig.Reason{egressconfig.ReasonNotDeclared},
			[]string{laterHost + ":443"}},
		{"another port of a declared host", []egressconfig.Reason{egressconfig.ReasonNotDeclared},
			[]string{usedHost + ":8443", usedHost + ":80", usedHost + ":444"}},
		{"a trailing dot", []egressconfig.Reason{malformed}, []string{usedHost + ".:443", usedHost + "..:443"}},
		{"upper case", []egressconfig.Reason{malformed}, []string{"CRM.example:443", "crm.eXample:443"}},
		{"the host in brackets", []egressconfig.Reason{malformed, egressconfig.ReasonMalformedRequest},
			[]string{"[" + usedHost + "]:443", "[11.22.33.11]:443"}},
		{"an IPv4 address", []egressconfig.Reason{malformed},
			[]string{"11.22.33.11:443", "10.96.0.1:443", "127.0.0.1:443", "169.254.169.254:80", "0.0.0.0:443"}},
		{"decimal, octal and hexadecimal addresses", []egressconfig.Reason{malformed},
			[]string{"185999627:443", "0x0b16210b:443", "013.026.041.013:443", "11.1450251:443", "0x7f.1:443"}},
		{"IPv6 and mapped addresses", []egressconfig.Reason{malformed, egressconfig.ReasonMalformedRequest},
			[]string{"[::ffff:11.22.33.11]:443", "[::ffff:b16:210b]:443", "[64:ff9b::b16:210b]:443", "[fd00:ec2::254]:80",
				"[::1]:443", "::1:443"}},
		{"userinfo", []egressconfig.Reason{malformed, egressconfig.ReasonMalformedRequest},
			[]string{usedHost + "@" + unusedHost + ":443", unusedHost + ":443@" + usedHost + ":443",
				"u:p@" + usedHost + ":443"}},
		{"tricks with ports", []egressconfig.Reason{malformed, egressconfig.ReasonMalformedRequest},
			[]string{usedHost, usedHost + ":", usedHost + ":0443", usedHost + ":+443", usedHost + ":443:443",
				usedHost + ":65979", usedHost + ":https", usedHost + ":443/", usedHost + ":443?", usedHost + ":443#"}},
		{"other letters than DNS has", []egressconfig.Reason{malformed, egressconfig.ReasonMalformedRequest},
			[]string{"crm。example:443", "crm.example%00.mail.example:443", "crm.example%2email.example:443",
				"crm\u200b.example:443", "*.example:443"}},
	} {
		ask := func(target string) string { return way.asked(t, target) }
		refusedFor(t, tc.name, tc.targets, ask, tc.reasons...)
	}
}

// requestsAreConnects says other things to the gateway than CONNECT.
func requestsAreConnects(t *testing.T, way *exit) {
	const connect = "CONNECT " + usedHost + ":443 HTTP/1.1\r\nHost: " + usedHost + "\r\n"
	say := func(request string) string { return way.told(t, request) }
	refusedFor(t, "a proxy's other requests", []string{
		"GET http://" + usedHost + "/ HTTP/1.1\r\nHost: " + usedHost + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + usedHost + "\r\n\r\n",
		"POST http://" + unusedHost + "/ HTTP/1.1\r\nHost: " + usedHost + "\r\nContent-Length: 0\r\n\r\n",
		"CONNECT " + usedHost + ":443 HTTP/1.0\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}, say, egressconfig.ReasonMethodNotAllowed, egressconfig.ReasonMalformedRequest)
	refusedFor(t, "a body, an upgrade or a smuggled header", []string{
		connect + "Content-Length: 5\r\n\r\nhello", connect + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		connect + "Upgrade: websocket\r\n\r\n", connect + "X: " + strings.Repeat("x", 5<<10) + "\r\n\r\n",
		connect + "X : y\r\n\r\n",
	}, say, egressconfig.ReasonMalformedRequest)

	r := record(t, sectionEgress, "another Host in the CONNECT")
	told, err := way.reach(t, "CONNECT "+usedHost+":443 HTTP/1.1\r\nHost: "+unusedHost+":443\r\n\r\n", usedHost, usedHost)
	if err != nil || !strings.HasPrefix(told.Local, addressOf(t, usedHost)) {
		r.otherwise("%v %v", told, err)
		t.Errorf("asked for %s in the request line: %+v, %v", usedHost, told, err)
		return
	}
	r.opened("the request line alone counts: %s answered", usedHost)

	r = record(t, sectionEgress, "another Host within TLS")
	told, err = way.reach(t, connect+"\r\n", usedHost, unusedHost)
	if err != nil || !strings.HasPrefix(told.Local, addressOf(t, usedHost)) {
		r.otherwise("%v %v", told, err)
		t.Errorf("a connection to %s led elsewhere: %+v, %v", usedHost, told, err)
		return
	}
	r.opened("not seen by a gateway that reads no plaintext; the declared %s answered, and decides", usedHost)
}
