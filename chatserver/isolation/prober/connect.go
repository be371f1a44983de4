// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
)

func probeTCP(ctx context.Context, target Target) (Outcome, string) {
	conn, outcome, detail := connect(ctx, "tcp", target.Address)
	if conn != nil {
		_ = conn.Close()
	}
	return outcome, detail
}

// connect returns a connection whose deadline is that of ctx, or no connection and the reason.
func connect(ctx context.Context, network, address string) (net.Conn, Outcome, string) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, outcomeOf(err), err.Error()
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			_ = conn.Close()
			return nil, OutcomeFailed, err.Error()
		}
	}
	return conn, OutcomeOpen, ""
}

func probeTLS(ctx context.Context, target Target) (Outcome, string) {
	conn, outcome, detail := connect(ctx, "tcp", target.Address)
	if conn == nil {
		return outcome, detail
	}
	defer func() { _ = conn.Close() }()
	client := tls.Client(conn, &tls.Config{
		ServerName:         target.serverName(),
		InsecureSkipVerify: true, //nolint:gosec // whether one gets through is the question, not to whom
	})
	if err := client.HandshakeContext(ctx); err != nil {
		if timeoutOrFailed(err) == OutcomeTimeout {
			return OutcomeTimeout, err.Error()
		}
		return OutcomeHandshakeFailed, err.Error()
	}
	return OutcomeOpen, strings.Join(client.ConnectionState().PeerCertificates[0].DNSNames, ",")
}

func (t Target) serverName() string {
	if t.ServerName != "" {
		return t.ServerName
	}
	host, _, _ := net.SplitHostPort(t.Address) // validated when it was parsed
	return host
}
