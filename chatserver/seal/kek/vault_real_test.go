// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

package kek_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

func TestVaultTransitAsVaultHasIt(t *testing.T) {
	program := buildVault(t)
	proveTransit(t, func(tb testing.TB) transitServer { return newVault(tb, program) })
}

func buildVault(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "vault")
	command := exec.CommandContext(t.Context(), "go", "-C", "../../../hack/vault", "build", "-trimpath",
		"-ldflags=-s -w", "-o", program, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build Vault: %v: %s", err, out)
	}
	return program
}

// realVault is a Vault server of its own process, which keeps what it stores while it is stopped.
type realVault struct {
	program, dir, address, caFile string
	ca                            *certtest.CA
	pair                          serverconfig.KeyPair
	issuer                        *jwtIssuer
	root                          *api.Client
	unsealKey                     string
	process                       *exec.Cmd
}

const (
	vaultMount = "transit"
	vaultKey   = "acme"
	vaultRole  = "chat-acme"
	// vaultPolicy allows what docs/chatserver.md says that the chat server needs, and nothing else.
	vaultPolicy = `path "transit/encrypt/acme" { capabilities = ["update"] }
		path "transit/decrypt/acme" { capabilities = ["update"] }`
)

func newVault(tb testing.TB, program string) *realVault {
	tb.Helper()
	v := &realVault{program: program, dir: tb.TempDir(), ca: certtest.NewCA(tb), issuer: newJWTIssuer(tb)}
	v.caFile = v.ca.WriteCert(tb, filepath.Join(v.dir, "ca.crt"))
	leaf := certtest.Leaf{CommonName: "vault", Hosts: []string{"127.0.0.1"}}
	v.pair = v.ca.Write(tb, filepath.Join(v.dir, "server"), leaf)
	v.run(tb, "127.0.0.1:0")
	tb.Cleanup(func() { v.Stop(tb) })

	init, err := v.root.Sys().InitWithContext(tb.Context(), &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		tb.Fatal(err)
	}
	v.unsealKey = init.KeysB64[0]
	v.root.SetToken(init.RootToken)
	v.SetSealed(tb, false)
	v.furnish(tb)
	return v
}

// furnish makes the key, and every way to log in for those who may use it.
func (v *realVault) furnish(tb testing.TB) {
	tb.Helper()
	certificate, err := os.ReadFile(v.caFile)
	if err != nil {
		tb.Fatal(err)
	}
	for _, step := range []struct {
		path string
		data map[string]any
	}{
		{"sys/mounts/" + vaultMount, map[string]any{"type": "transit"}},
		{vaultMount + "/keys/" + vaultKey, map[string]any{"type": "aes256-gcm96"}},
		{"sys/policies/acl/" + vaultRole, map[string]any{"policy": vaultPolicy}},
		{"sys/auth/jwt", map[string]any{"type": "jwt"}},
		{"auth/jwt/config", map[string]any{"jwt_validation_pubkeys": []string{v.issuer.publicKey(tb)}}},
		{"auth/jwt/role/" + vaultRole, map[string]any{
			"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"vault"},
			"bound_subject": jwtSubject, "token_policies": vaultRole,
		}},
		{"sys/auth/cert", map[string]any{"type": "cert"}},
		{"auth/cert/certs/" + vaultRole, map[string]any{
			"certificate": string(certificate), "allowed_common_names": vaultRole, "token_policies": vaultRole,
		}},
	} {
		v.do(tb, step.path, step.data)
	}
}

// run starts the server and returns once it listens.
func (v *realVault) run(tb testing.TB, address string) {
	tb.Helper()
	// Not the test's context: what the server is told at the end of a test, its clean-up tells it.
	v.process = exec.Command(v.program, //nolint:noctx // See above.
		"-data="+filepath.Join(v.dir, "data"), "-address="+address, "-certificate="+v.pair.CertFile, "-key="+v.pair.KeyFile)
	v.process.Stderr = os.Stderr
	out, err := v.process.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := v.process.Start(); err != nil {
		tb.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("Vault does not start: %v", err)
	}
	v.address = strings.TrimSpace(line)
	if v.root == nil {
		v.connect(tb)
	}
}

// connect makes the client of whoever runs the server.
func (v *realVault) connect(tb testing.TB) {
	tb.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // The standard library's own.
	transport.Proxy = nil
	transport.TLSClientConfig.RootCAs = v.ca.Pool()
	client, err := api.NewClient(&api.Config{
		Address: "https://" + v.address, DisableEnvironment: true, Timeout: time.Minute,
		HttpClient: &http.Client{Transport: transport},
	})
	if err != nil {
		tb.Fatal(err)
	}
	v.root = client
}

func (v *realVault) do(tb testing.TB, path string, data map[string]any) *api.Secret {
	tb.Helper()
	answer, err := v.root.Logical().WriteWithContext(tb.Context(), path, data)
	if err != nil {
		tb.Fatal(fmt.Errorf("write %s: %w", path, err))
	}
	return answer
}
