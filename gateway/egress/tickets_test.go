// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"
)

// offered notes whether a server gave out a ticket.
type offered struct{ tickets int }

func (*offered) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

func (o *offered) Put(string, *tls.ClientSessionState) { o.tickets++ }

// A resumed session would be judged by the roots of its first handshake, which may have been withdrawn since.
func TestNobodyIsGivenATicketToResumeWith(t *testing.T) {
	g := startGateway(t, nil)
	cache, config := &offered{}, g.chatServerTLS(t)
	config.ClientSessionCache = cache
	conn := tls.Client(g.tcp(t), config)
	defer func() { _ = conn.Close() }()
	// Tickets come after the handshake: whoever reads the answer to a request has read them.
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: " + mailHost + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if cache.tickets > 0 {
		t.Errorf("the gateway gave out %d tickets", cache.tickets)
	}
}
