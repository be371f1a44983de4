// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package egress reaches recipients outside of the tenant, through the tenant's egress gateway and no other way.
package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
)

const (
	// answerTimeout bounds the whole way to the gateway's answer, its resolution of the host included.
	answerTimeout = 20 * time.Second
	// largestAnswer is more than the gateway ever says before it connects.
	largestAnswer = 4 << 10
)

// ErrGatewayUnavailable means that the gateway itself could not be asked: it is worth trying again.
var ErrGatewayUnavailable = errors.New("egress gateway unavailable")

// Dialer connects by way of the gateway. Safe for concurrent use.
type Dialer struct{ config egressconfig.Client }

// New returns a dialer. Files are read when it dials.
func New(config egressconfig.Client) *Dialer { return &Dialer{config} }

// DialContext connects to a recipient's host:port, over which the caller must speak TLS for exactly that host at once:
// the gateway lets nothing else through. An error is a [*DeniedError] if the gateway refuses, or
// [ErrGatewayUnavailable]. What the gateway finds out only after the caller has begun to speak is a [*DeniedError] of
// the connection's first Read. It is for http.Transport.DialContext, and for whatever else takes a connection.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" {
		return nil, fmt.Errorf("connect to %s: network %s cannot pass the egress gateway", address, network)
	}
	endpoint, err := egressconfig.ParseEndpoint(address)
	if err != nil {
		return nil, &DeniedError{Target: address, Reason: egressconfig.ReasonMalformedTarget}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	gateway, err := d.reach(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGatewayUnavailable, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = gateway.NetConn().Close() })
	conn, err := ask(gateway, endpoint)
	if !stop() && err == nil {
		err = fmt.Errorf("%w: %w", ErrGatewayUnavailable, ctx.Err())
	}
	if err != nil {
		_ = gateway.NetConn().Close()
		return nil, err
	}
	return conn, nil
}

// reach opens the connection to the gateway, with the certificate of this moment.
func (d *Dialer) reach(ctx context.Context) (*tls.Conn, error) {
	config, err := d.tls()
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.config.Address)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return secured, nil
}

func (d *Dialer) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(d.config.CertFile, d.config.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	roots, err := os.ReadFile(filepath.Clean(d.config.CAFile))
	if err != nil {
		return nil, fmt.Errorf("read roots: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("read roots: no certificate in %s", d.config.CAFile)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: d.config.ServerName, RootCAs: pool,
		Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"},
	}, nil
}

// ask sends the CONNECT and reads the answer to it.
func ask(gateway *tls.Conn, endpoint egressconfig.Endpoint) (net.Conn, error) {
	target := endpoint.String()
	if _, err := io.WriteString(gateway, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); err != nil {
		return nil, fmt.Errorf("%w: ask: %w", ErrGatewayUnavailable, err)
	}
	limit := &io.LimitedReader{R: gateway, N: largestAnswer}
	reader := bufio.NewReader(limit)
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		// A certificate that the gateway does not take is heard of only here, in TLS 1.3.
		return nil, fmt.Errorf("%w: read answer: %w", ErrGatewayUnavailable, err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, refusal(target, answer)
	}
	limit.N = noLimit
	return &conn{Conn: gateway, reader: reader, target: target}, nil
}

func refusal(target string, answer *http.Response) error {
	reason := egressconfig.Reason(answer.Header.Get(egressconfig.DeniedHeader))
	if reason == "" {
		return fmt.Errorf("%w: it answers %d", ErrGatewayUnavailable, answer.StatusCode)
	}
	return &DeniedError{Target: target, Reason: reason}
}
