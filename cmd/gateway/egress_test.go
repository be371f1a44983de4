// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/loopback"
)

// egressFiles are what a pod of the egress gateway has mounted. One certificate, its own authority, plays the gateway
// and the chat server.
func egressFiles(t *testing.T) (configFile, tlsDir string, pair tls.Certificate) {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: naming.EgressClientName},
		DNSNames: []string{"egress.chat-acme.svc"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	declared := egressconfig.New("acme", nil)
	declared.Limits.RequestSeconds = 60
	config, err := declared.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"tls.crt": public, "ca.crt": public, "egress.yaml": config,
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "egress.yaml"), dir, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// ask sends a CONNECT to the gateway as the chat server would.
func ask(t *testing.T, address string, pair tls.Certificate) (egressconfig.Reason, error) {
	t.Helper()
	proxy := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, //nolint:gosec // judged elsewhere
		},
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, "https://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = "api.mailer.example:443"
	response, err := proxy.Do(request)
	if err != nil {
		return "", err
	}
	return egressconfig.Reason(response.Header.Get(egressconfig.DeniedHeader)), response.Body.Close()
}

func TestTheEgressGatewayFromStartToStop(t *testing.T) {
	config, dir, pair := egressFiles(t)
	clients, probes := loopback.Address(t), loopback.Address(t)
	command := newCommand()
	command.SetArgs([]string{
		"egress", "--config", config, "--tls-dir", dir, "--listen", clients, "--health-listen", probes,
		"--drain-delay", "0s", "--drain-timeout", "1m",
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { ended <- command.ExecuteContext(ctx) })
	defer running.Wait()
	defer stop()

	eventually(t, "the gateway is ready", func() bool { return answers(t, probes, "/readyz", http.StatusOK) })
	open := holdOpen(t, clients)
	if got, err := ask(t, clients, pair); err != nil || got != egressconfig.ReasonNotDeclared {
		t.Errorf("denied for %q, %v; want %s", got, err, egressconfig.ReasonNotDeclared)
	}
	eventuallyCounts(t, probes, `chattenant_egress_connections_total{result="NotDeclared"} 1`)

	stop()
	eventually(t, "readiness is off", func() bool {
		return answers(t, probes, "/readyz", http.StatusInternalServerError)
	})
	_ = open.Close()
	if err := <-ended; err != nil {
		t.Errorf("ended with: %v", err)
	}
	if _, err := ask(t, clients, pair); err == nil || !strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAnEgressGatewayWithoutItsKeySaysSo(t *testing.T) {
	config, dir, _ := egressFiles(t)
	if err := os.Remove(filepath.Join(dir, "tls.key")); err != nil {
		t.Fatal(err)
	}
	command := newCommand()
	command.SetArgs([]string{"egress", "--config", config, "--tls-dir", dir})
	command.SetErr(io.Discard)
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "tls.key") {
		t.Errorf("ended with %v, want: tls.key", err)
	}
}
