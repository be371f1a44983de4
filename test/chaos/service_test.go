// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
)

// service spreads connections over the replicas that are ready, as a Kubernetes Service does.
type service struct {
	replicas []*replica
	tls      *tls.Config
}

var errNoEndpoint = errors.New("no replica is ready")

// dial connects a client at the given address through the front link of a replica that is ready.
func (s *service) dial(ctx context.Context, source string) (net.Conn, error) {
	var ready []*replica
	for _, r := range s.replicas {
		if r.ready.Load() {
			ready = append(ready, r)
		}
	}
	if len(ready) == 0 {
		return nil, errNoEndpoint
	}
	chosen := ready[rand.IntN(len(ready))] //nolint:gosec // Spreads load, hides nothing.
	return servertest.DialAs(ctx, chosen.front.Address(), source)
}

// client makes a client at the given address: limits are per address, and everybody has their own.
func (s *service) client(source string) (*client.Client, error) {
	return client.New(client.Config{
		Endpoint: servertest.Endpoint, TLS: s.tls, Transport: client.TransportWebSocket,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx, source) },
	})
}
