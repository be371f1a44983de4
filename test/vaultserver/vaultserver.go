// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package vaultserver runs a real Vault, built from source, for tests of what keeps its key in one.
package vaultserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/test/loopback"
)

// Options say where a Vault runs. The zero value of all but CA is any port of this machine's loopback address.
type Options struct {
	// CA signs its certificate, for Hosts and 127.0.0.1.
	CA    *certtest.CA
	Hosts []string
	// Program is what Build answered; empty builds it.
	Program string
	// Address is where it listens.
	Address string
	// Start starts its process elsewhere, as in another network, and Dial connects to it there.
	Start func(*exec.Cmd) error
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

// Server is a Vault of its own process, which keeps what it stores while it is stopped. It ends with the test.
type Server struct {
	// Address is an IP address and a port. It stays the same.
	Address string
	// Root is the client of whoever runs the server.
	Root *api.Client

	options   Options
	data      string
	pair      serverconfig.KeyPair
	unsealKey string
	process   *exec.Cmd
}

// Run builds and starts a Vault, initialises and unseals it, and fails the test if that does not work.
func Run(tb testing.TB, o Options) *Server {
	tb.Helper()
	if o.Program == "" {
		o.Program = Build(tb)
	}
	if o.Start == nil {
		o.Start = (*exec.Cmd).Start
	}
	dir := tb.TempDir()
	leaf := certtest.Leaf{CommonName: "vault", Hosts: append([]string{"127.0.0.1"}, o.Hosts...)}
	s := &Server{options: o, data: filepath.Join(dir, "data"), pair: o.CA.Write(tb, filepath.Join(dir, "server"), leaf)}
	if s.Address = o.Address; s.Address == "" {
		// It may stop and listen there again.
		s.Address = loopback.Address(tb)
	}
	tb.Cleanup(func() { s.Stop(tb) })
	s.run(tb)
	s.connect(tb)
	init, err := s.Root.Sys().InitWithContext(tb.Context(), &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		tb.Fatalf("initialise Vault: %v", err)
	}
	s.unsealKey = init.KeysB64[0]
	s.Root.SetToken(init.RootToken)
	s.SetSealed(tb, false)
	return s
}

// Build answers the path of the program.
func Build(tb testing.TB) string {
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

// Write writes to a path as whoever runs the server.
func (s *Server) Write(tb testing.TB, path string, data map[string]any) *api.Secret {
	tb.Helper()
	answer, err := s.Root.Logical().WriteWithContext(tb.Context(), path, data)
	if err != nil {
		tb.Fatalf("write %s: %v", path, err)
	}
	return answer
}

// Admit makes a transit key at transit, and lets tokens of a subject for an audience, shown at kubernetes, wrap and
// unwrap with it and nothing else. The role has the name of the key. The tokens are signed by one of the keys, as PEM.
func (s *Server) Admit(tb testing.TB, key, subject, audience string, publicKeys ...string) {
	tb.Helper()
	for _, step := range []struct {
		path string
		data map[string]any
	}{
		{"sys/mounts/transit", map[string]any{"type": "transit"}},
		{"transit/keys/" + key, map[string]any{"type": "aes256-gcm96"}},
		{"sys/policies/acl/" + key, map[string]any{"policy": UsePolicy("transit", key)}},
		{"sys/auth/kubernetes", map[string]any{"type": "jwt"}},
		{"auth/kubernetes/config", map[string]any{"jwt_validation_pubkeys": publicKeys}},
		{"auth/kubernetes/role/" + key, map[string]any{
			"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience}, "bound_subject": subject,
			"token_policies": key,
		}},
	} {
		s.Write(tb, step.path, step.data)
	}
}

// UsePolicy allows what docs/chatserver.md says that the chat server needs of a transit key, and nothing else.
func UsePolicy(mount, key string) string {
	return fmt.Sprintf(`path "%[1]s/encrypt/%[2]s" { capabilities = ["update"] }
		path "%[1]s/decrypt/%[2]s" { capabilities = ["update"] }`, mount, key)
}

// SetSealed seals the server, or unseals it and waits until it answers.
func (s *Server) SetSealed(tb testing.TB, sealed bool) {
	tb.Helper()
	if sealed {
		if err := s.Root.Sys().SealWithContext(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		return
	}
	if _, err := s.Root.Sys().UnsealWithContext(tb.Context(), s.unsealKey); err != nil {
		tb.Fatalf("unseal Vault: %v", err)
	}
	// Unsealed is not yet active: the one server there is has to become the leader first.
	for range 3000 {
		if health, err := s.Root.Sys().HealthWithContext(tb.Context()); err == nil && !health.Sealed && !health.Standby {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatal("Vault does not become active")
}
