// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package servertest

import (
	"context"
	"net"
	"testing"

	"github.com/chattenant/chattenant/chatserver/client"
)

// OverEach runs a test over WebSockets and over streams.
func OverEach(t *testing.T, test func(t *testing.T, over client.Transport)) {
	t.Helper()
	t.Run("WebSocket", func(t *testing.T) { test(t, client.TransportWebSocket) })
	t.Run("stream", func(t *testing.T) { test(t, client.TransportStream) })
}

// ClientOver is a client that trusts like's authority and connects to whichever replica current names, over one
// transport.
func ClientOver(tb testing.TB, over client.Transport, like *Replica, current func() *Replica) *client.Client {
	tb.Helper()
	return clientAt(tb, over, like, func(ctx context.Context, network, address string) (net.Conn, error) {
		return current().Dial(ctx, network, address)
	})
}

// ClientThrough is a client that trusts like's authority and connects to address, where something stands between.
func ClientThrough(tb testing.TB, over client.Transport, like *Replica, address string) *client.Client {
	tb.Helper()
	return clientAt(tb, over, like, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	})
}

func clientAt(tb testing.TB, over client.Transport, like *Replica, dial client.DialFunc) *client.Client {
	tb.Helper()
	c, err := client.New(client.Config{Endpoint: Endpoint, TLS: like.TLS(), Dial: dial, Transport: over})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}
