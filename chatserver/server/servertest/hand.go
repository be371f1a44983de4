// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package servertest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// InHand sends half of a request, which the replica then has in hand until release sends the rest: as long as its time
// to drain lasts it does not end before. It returns once the replica is at it.
func (r *Replica) InHand(tb testing.TB) (release func()) {
	tb.Helper()
	conn := r.secured(tb)
	answers := bufio.NewReader(conn)
	const body = `{"frames":[{"type":"ping"}]}`
	// Whoever handles the request asks for its body when it comes to that.
	_, err := fmt.Fprintf(conn, "POST /api/v1/frames HTTP/1.1\r\nHost: %s:%s\r\nOrigin: %s\r\n"+
		"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"Expect: 100-continue\r\n\r\n", Host, Port, Endpoint, r.newToken(tb), len(body))
	if err != nil {
		tb.Fatal(err)
	}
	expectStatus(tb, answers, http.StatusContinue)
	return func() {
		tb.Helper()
		if _, err := io.WriteString(conn, body); err != nil {
			tb.Error(err)
		}
		expectStatus(tb, answers, http.StatusOK)
	}
}

// secured is a connection of the test's own making, as long as that lasts.
func (r *Replica) secured(tb testing.TB) net.Conn {
	tb.Helper()
	conn, err := r.Dial(tb.Context(), "", "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	secured := tls.Client(conn, r.TLS())
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		tb.Fatal(err)
	}
	return secured
}

func expectStatus(tb testing.TB, answers *bufio.Reader, want int) {
	tb.Helper()
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		tb.Fatalf("read answer: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != want {
		tb.Errorf("answered %s, want %d", answer.Status, want)
	}
}

// newToken is that of a fresh visitor.
func (r *Replica) newToken(tb testing.TB) string {
	tb.Helper()
	const path = Endpoint + "/api/v1/visitor/session"
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, path, strings.NewReader(`{}`))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header = http.Header{"Origin": {Endpoint}, "Content-Type": {"application/json"}}
	transport := &http.Transport{TLSClientConfig: r.TLS(), DialContext: r.Dial, DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var session protocol.VisitorSession
	if err := json.NewDecoder(answer.Body).Decode(&session); err != nil {
		tb.Fatalf("new visitor: %s: %v", answer.Status, err)
	}
	return session.Token.Reveal()
}
