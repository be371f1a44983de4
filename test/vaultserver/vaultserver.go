// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package vaultserver runs a real Vault, built from source, for tests of what keeps its key in one.
package vaultserver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

// Options say where a Vault runs. The zero value of all but CA is any port of this machine's loopback address.
type Options struct {
	// CA signs its certificate, for Hosts and 127.0.0.1.
	CA    *certtest.CA
	Hosts []string
	// Address is where it listens.
	Address string
	// Start starts its process elsewhere, as in another network, and Dial connects to it there.
	Start func(*exec.Cmd) error
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

// Server is a Vault that is initialised and unsealed, with a transit engine at transit and tokens of a cluster's
// accounts taken at kubernetes. It ends with the test.
type Server struct {
	// Address is an IP address and a port.
	Address string

	root *api.Client
}

// Run builds and starts a Vault, and fails the test if that does not work.
func Run(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := &Server{}
	s.start(tb, o)
	init, err := s.root.Sys().InitWithContext(tb.Context(), &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		tb.Fatalf("initialise Vault: %v", err)
	}
	s.root.SetToken(init.RootToken)
	if _, err := s.root.Sys().UnsealWithContext(tb.Context(), init.KeysB64[0]); err != nil {
		tb.Fatalf("unseal Vault: %v", err)
	}
	s.awaitActive(tb)
	s.write(tb, "sys/mounts/transit", map[string]any{"type": "transit"})
	s.write(tb, "sys/auth/kubernetes", map[string]any{"type": "jwt"})
	return s
}

// Admit makes a transit key, and lets tokens of a subject for an audience wrap and unwrap with it and nothing else.
// The role has the key's name. The tokens are signed by one of the keys, which are PEM.
func (s *Server) Admit(tb testing.TB, key, subject, audience string, publicKeys ...string) {
	tb.Helper()
	s.write(tb, "transit/keys/"+key, map[string]any{"type": "aes256-gcm96"})
	s.write(tb, "sys/policies/acl/"+key, map[string]any{"policy": fmt.Sprintf(
		`path "transit/encrypt/%[1]s" { capabilities = ["update"] }
		path "transit/decrypt/%[1]s" { capabilities = ["update"] }`, key)})
	s.write(tb, "auth/kubernetes/config", map[string]any{"jwt_validation_pubkeys": publicKeys})
	s.write(tb, "auth/kubernetes/role/"+key, map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience}, "bound_subject": subject,
		"token_policies": key,
	})
}

func (s *Server) start(tb testing.TB, o Options) {
	tb.Helper()
	dir := tb.TempDir()
	pair := o.CA.Write(tb, filepath.Join(dir, "server"),
		certtest.Leaf{CommonName: "vault", Hosts: append([]string{"127.0.0.1"}, o.Hosts...)})
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	// Not the test's context: it ends before the clean-up.
	process := exec.Command(build(tb), "-data="+filepath.Join(dir, "data"), //nolint:noctx // See above.
		"-address="+o.Address, "-certificate="+pair.CertFile, "-key="+pair.KeyFile)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if o.Start == nil {
		o.Start = (*exec.Cmd).Start
	}
	if err := o.Start(process); err != nil {
		tb.Fatalf("start Vault: %v", err)
	}
	tb.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("Vault does not start: %v", err)
	}
	s.Address = strings.TrimSpace(line)
	s.connect(tb, o)
}

// build answers the path of the program.
func build(tb testing.TB) string {
	tb.Helper()
	root, err := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		tb.Fatalf("find the module: %v", err)
	}
	module := filepath.Join(strings.TrimSpace(string(root)), "hack", "vault")
	program := filepath.Join(tb.TempDir(), "vault")
	command := exec.CommandContext(tb.Context(), "go", "-C", module, "build", "-trimpath", "-ldflags=-s -w",
		"-o", program, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("build Vault: %v: %s", err, out)
	}
	return program
}

func (s *Server) connect(tb testing.TB, o Options) {
	tb.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // The standard library's own.
	transport.Proxy, transport.TLSClientConfig.RootCAs = nil, o.CA.Pool()
	if o.Dial != nil {
		transport.DialContext = o.Dial
		// The address is the place's own; what it is called there is in the certificate.
		transport.TLSClientConfig.ServerName = o.Hosts[0]
	}
	tb.Cleanup(transport.CloseIdleConnections)
	var err error
	s.root, err = api.NewClient(&api.Config{
		Address: "https://" + s.Address, DisableEnvironment: true, Timeout: time.Minute,
		HttpClient: &http.Client{Transport: transport},
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func (s *Server) awaitActive(tb testing.TB) {
	tb.Helper()
	for range 3000 {
		if health, err := s.root.Sys().HealthWithContext(tb.Context()); err == nil && !health.Sealed && !health.Standby {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatal("Vault does not become active")
}

func (s *Server) write(tb testing.TB, path string, data map[string]any) {
	tb.Helper()
	if _, err := s.root.Logical().WriteWithContext(tb.Context(), path, data); err != nil {
		tb.Fatalf("write %s: %v", path, err)
	}
}
