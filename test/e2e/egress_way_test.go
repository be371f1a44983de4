// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// exit is a tenant's egress gateway, asked from its chat server's place in the network with its certificate.
type exit struct {
	place   *podnet.Namespace
	address string
	config  *tls.Config
	// outside certifies the servers beyond.
	outside *x509.CertPool
}

func wayOut(t *testing.T, tenant string) *exit {
	t.Helper()
	namespace := naming.Namespace(tenant)
	shown := secret(t, namespace, naming.EgressClient)
	pair, err := tls.X509KeyPair(shown.Data[corev1.TLSCertKey], shown.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	pod := tenantPods(t, tenant, naming.ChatServer)[0]
	return &exit{
		place:   inside(t, &pod),
		address: net.JoinHostPort(service(t, namespace, naming.Egress).Spec.ClusterIP, fmt.Sprint(naming.EgressPort)),
		config: &tls.Config{
			MinVersion: tls.VersionTLS13, ServerName: egressHost(tenant), RootCAs: authority(t, shown),
			Certificates: []tls.Certificate{pair},
		},
		outside: outsideAuthority(t),
	}
}

func outsideAuthority(t *testing.T) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(outsideFacts(t).CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatal("the outside has no authority")
	}
	return pool
}

// connect asks for a target and returns the gateway's answer, with the connection it came on.
func (w *exit) connect(ctx context.Context, target string) (net.Conn, *bufio.Reader, *http.Response, error) {
	return w.send(ctx, connectTo(target))
}

// send says something to the gateway and returns what it answers.
func (w *exit) send(ctx context.Context, text string) (net.Conn, *bufio.Reader, *http.Response, error) {
	raw, err := w.place.DialContext(ctx, "tcp", w.address)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("dial the gateway: %w", err)
	}
	conn := tls.Client(raw, w.config)
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, nil, nil, fmt.Errorf("shake hands with the gateway: %w", err)
	}
	// A gateway that refuses our certificate says so after our side of the handshake, and may be gone before we ask.
	_, unasked := io.WriteString(conn, text)
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		_ = conn.Close()
		return nil, nil, nil, fmt.Errorf("hear the gateway: %w", errors.Join(unasked, err))
	}
	return conn, reader, answer, nil
}

// asked is the gateway's reason to refuse a target, "open" if it does not.
func (w *exit) asked(t *testing.T, target string) string {
	t.Helper()
	return w.told(t, connectTo(target))
}

// told is the gateway's reason to refuse a request, "open" if it does not.
func (w *exit) told(t *testing.T, request string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	conn, _, answer, err := w.send(ctx, request)
	if err != nil {
		return err.Error()
	}
	_ = answer.Body.Close()
	_ = conn.Close()
	return denial(answer)
}

// through shakes hands with serverName on a connection for which the gateway was asked for host.
func (w *exit) through(t *testing.T, host, serverName string) (*tls.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	return w.shakeHandsAfter(ctx, connectTo(net.JoinHostPort(host, "443")), serverName)
}

func connectTo(target string) string {
	return fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", target)
}

// shakeHandsAfter shakes hands with serverName on the connection that the gateway answers a request with.
func (w *exit) shakeHandsAfter(ctx context.Context, request, serverName string) (*tls.Conn, error) {
	conn, reader, answer, err := w.send(ctx, request)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	if got := denial(answer); got != "open" {
		_ = conn.Close()
		return nil, &deniedError{got}
	}
	if reader.Buffered() > 0 {
		_ = conn.Close()
		return nil, fmt.Errorf("the gateway said %d bytes more than its answer", reader.Buffered())
	}
	inner := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName, RootCAs: w.outside})
	if err := inner.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("shake hands with %s: %w", serverName, err)
	}
	return inner, nil
}

// deniedError is the gateway's refusal of a CONNECT.
type deniedError struct{ reason string }

func (e *deniedError) Error() string { return "refused: " + e.reason }

// echo is what a server of the outside says about the request that reached it.
type echo struct {
	Local, ServerName, Host string
}

// ask puts a question to a server of the outside, over a connection that leads to it.
func ask(conn net.Conn, host, path string) (echo, error) {
	var told echo
	request, err := http.NewRequest(http.MethodGet, "https://"+host+path, nil) //nolint:noctx // the connection's deadline
	if err != nil {
		return told, err
	}
	if err := request.Write(conn); err != nil {
		return told, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return told, err
	}
	defer func() { _ = answer.Body.Close() }()
	return told, json.NewDecoder(answer.Body).Decode(&told)
}
