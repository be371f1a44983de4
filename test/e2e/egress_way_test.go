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
	"fmt"
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
	printed, err := localCluster(t.Context(), "outside")
	if err != nil {
		t.Fatalf("ask for the outside: %v", err)
	}
	var facts struct{ CAFile string }
	if err := json.Unmarshal([]byte(printed), &facts); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(facts.CAFile)
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
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", target); err != nil {
		_ = conn.Close()
		return nil, nil, nil, fmt.Errorf("ask the gateway: %w", err)
	}
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		_ = conn.Close()
		return nil, nil, nil, fmt.Errorf("hear the gateway: %w", err)
	}
	return conn, reader, answer, nil
}

// asked is the gateway's reason to refuse a target, "open" if it does not.
func (w *exit) asked(t *testing.T, target string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	conn, _, answer, err := w.connect(ctx, target)
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
	conn, reader, answer, err := w.connect(ctx, net.JoinHostPort(host, "443"))
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	if got := denial(answer); got != "open" {
		_ = conn.Close()
		return nil, fmt.Errorf("refused: %s", got)
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

func (w *exit) shakeHands(t *testing.T, host, serverName string) error {
	t.Helper()
	conn, err := w.through(t, host, serverName)
	if err != nil {
		return err
	}
	return conn.Close()
}
