// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
	chat "github.com/chattenant/chattenant/chatserver/client"
)

// The demo's issuer signs with an authority of this installation's own.
const (
	demoIssuer          = "chattenant-demo"
	issuersNamespace    = "cert-manager"
	demoAuthoritySecret = "chattenant-demo-ca"
)

// gatewayAddress is where the machine reaches the ingress gateway. Every tenant's host leads there.
func gatewayAddress() string {
	port := os.Getenv("CHATTENANT_HTTPS_PORT")
	if port == "" {
		port = "8443"
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// toGateway connects to the gateway whatever name was asked for, as a resolver would that knows the tenants.
func toGateway(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, gatewayAddress())
}

// demoAuthority is the authority of the demo's issuer: who trusts it, and nothing else, is how a browser would see the
// tenants.
func demoAuthority(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(secret(t, issuersNamespace, demoAuthoritySecret).Data[corev1.TLSCertKey]) {
		t.Fatalf("secret %s has no certificate", demoAuthoritySecret)
	}
	return pool
}

// endpoint is a client of a tenant, through the gateway and over verified TLS.
func endpoint(t *testing.T, tenant *v1alpha1.ChatTenant) *chat.Client {
	t.Helper()
	_, port, err := net.SplitHostPort(gatewayAddress())
	if err != nil {
		t.Fatal(err)
	}
	c, err := chat.New(chat.Config{
		Endpoint: "https://" + net.JoinHostPort(tenant.Spec.Endpoint.Host, port),
		TLS:      &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: demoAuthority(t)},
		Dial:     toGateway,
	})
	if err != nil {
		t.Fatalf("make client of %s: %v", tenant.Name, err)
	}
	t.Cleanup(c.Close)
	return c
}
