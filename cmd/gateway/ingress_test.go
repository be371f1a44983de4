// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chattenant/chattenant/test/loopback"
)

const patience = 20 * time.Second

// apiServer has no ChatTenants, and answers nothing before it is opened. It knows no streaming lists, so that the
// client has to ask the classic way.
type apiServer struct {
	*httptest.Server

	open chan struct{}
}

func startAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{open: make(chan struct{})}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.open:
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Query().Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
	case r.URL.Query().Get("watch") != "":
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	default:
		_, _ = io.WriteString(w, `{"kind":"ChatTenantList","apiVersion":"chattenant.io/v1alpha1",`+
			`"metadata":{"resourceVersion":"1"},"items":[]}`)
	}
}

// kubeconfig writes a file that leads to the server.
func (s *apiServer) kubeconfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`{"clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],
		"contexts":[{"name":"c","context":{"cluster":"c"}}],"current-context":"c"}`, s.URL)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// health asks the health server over TLS and returns status and body, zero while nobody answers.
func health(t *testing.T, address, path string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // self-signed by design
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, ""
	}
	return response.StatusCode, string(body)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not true: %s", patience, what)
		}
	}
}

// eventuallyCounts waits for a line among the metrics: a connection is counted at its end, which its client has seen
// before the gateway does.
func eventuallyCounts(t *testing.T, address, line string) {
	t.Helper()
	eventually(t, "metrics have "+line, func() bool {
		_, metrics := health(t, address, "/metrics")
		return strings.Contains(metrics, line)
	})
}

// TestTheGatewayFromStartToStop runs the command as a pod would: alive at once, ready with the first list, refusing
// unknown names, and ended by its signal.
func TestTheGatewayFromStartToStop(t *testing.T) {
	api := startAPIServer(t)
	clients, probes := loopback.Address(t), loopback.Address(t)
	command := newCommand()
	command.SetArgs([]string{
		"ingress", "--kubeconfig", api.kubeconfig(t), "--listen", clients, "--health-listen", probes,
		"--handshake-timeout", "1m", "--drain-delay", "0s", "--drain-timeout", "1m",
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { ended <- command.ExecuteContext(ctx) })
	defer running.Wait()
	defer stop()

	eventually(t, "the gateway is alive", func() bool { return answers(t, probes, "/livez", http.StatusOK) })
	if answers(t, probes, "/readyz", http.StatusOK) {
		t.Error("ready before the first list")
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", clients); err == nil {
		_ = conn.Close()
		t.Error("accepts clients before the first list")
	}

	close(api.open)
	eventually(t, "the gateway is ready", func() bool { return answers(t, probes, "/readyz", http.StatusOK) })
	open := holdOpen(t, clients)
	dialer := &tls.Dialer{Config: &tls.Config{ServerName: "nobody.example"}}
	_, err := dialer.DialContext(t.Context(), "tcp", clients)
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("an unknown name: %v, want: unrecognized name", err)
	}
	eventuallyCounts(t, probes, `chattenant_gateway_ingress_connections_total{result="unknown_name"} 1`)

	stop()
	eventually(t, "readiness is off", func() bool {
		return answers(t, probes, "/readyz", http.StatusInternalServerError)
	})
	_ = open.Close()
	if err := <-ended; err != nil {
		t.Errorf("ended with: %v", err)
	}
}

// holdOpen connects a client that says nothing. Once the gateway has accepted another after it, a drain lasts until it
// is closed.
func holdOpen(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func answers(t *testing.T, address, path string, want int) bool {
	t.Helper()
	status, _ := health(t, address, path)
	return status == want
}

func TestAMissingKubeconfigIsSaidSo(t *testing.T) {
	command := newCommand()
	command.SetArgs([]string{"ingress", "--kubeconfig", filepath.Join(t.TempDir(), "missing")})
	command.SetErr(io.Discard)
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "API server") {
		t.Errorf("ended with %v, want: find the API server", err)
	}
}
