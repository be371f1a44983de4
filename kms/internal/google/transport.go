// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package google

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/chattenant/chattenant/kms/internal/network"
)

// bearer is a token of Google's, sent with every call and over TLS only.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// watchedCredentials note failed handshakes, of which gRPC tells the caller in words only.
type watchedCredentials struct {
	credentials.TransportCredentials
	way *network.Network
}

func watchedTLS(way *network.Network) credentials.TransportCredentials {
	return watchedCredentials{credentials.NewTLS(way.TLS()), way}
}

func (w watchedCredentials) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	return conn, info, w.way.Note(authority, err)
}

func (w watchedCredentials) Clone() credentials.TransportCredentials {
	return watchedCredentials{w.TransportCredentials.Clone(), w.way}
}
