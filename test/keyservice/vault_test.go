// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

package keyservice

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/openbao/openbao/api/v2"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

// vault is a real Vault in a process of its own, with one transit key and one role.
type vault struct {
	address string
	root    *api.Client
	issuer  *ecdsa.PrivateKey
}

func buildVault(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "vault")
	command := exec.CommandContext(t.Context(), "go", "-C", "../../hack/vault", "build", "-trimpath", "-ldflags=-s -w",
		"-o", program, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build Vault: %v: %s", err, out)
	}
	return program
}

// startVault proves itself as vaultHost and lets in whoever has a token of this subject for this audience.
func startVault(t *testing.T, ca *certtest.CA, subject, audience string) *vault {
	t.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{issuer: issuer}
	v.run(t, ca)
	init, err := v.root.Sys().InitWithContext(t.Context(), &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		t.Fatal(err)
	}
	v.root.SetToken(init.RootToken)
	if _, err := v.root.Sys().UnsealWithContext(t.Context(), init.KeysB64[0]); err != nil {
		t.Fatal(err)
	}
	v.awaitActive(t)
	const policy = `path "transit/encrypt/acme" { capabilities = ["update"] }
		path "transit/decrypt/acme" { capabilities = ["update"] }`
	v.write(t, "sys/mounts/transit", map[string]any{"type": "transit"})
	v.write(t, "transit/keys/acme", map[string]any{"type": "aes256-gcm96"})
	v.write(t, "sys/policies/acl/chat-acme", map[string]any{"policy": policy})
	v.write(t, "sys/auth/kubernetes", map[string]any{"type": "jwt"})
	v.write(t, "auth/kubernetes/config", map[string]any{"jwt_validation_pubkeys": []string{v.publicKey(t)}})
	v.write(t, "auth/kubernetes/role/chat-acme", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience}, "bound_subject": subject,
		"token_policies": "chat-acme",
	})
	return v
}

func (v *vault) run(t *testing.T, ca *certtest.CA) {
	t.Helper()
	dir := t.TempDir()
	leaf := certtest.Leaf{CommonName: "vault", Hosts: []string{vaultHost, "127.0.0.1"}}
	pair := ca.Write(t, filepath.Join(dir, "server"), leaf)
	// Not the test's context: it ends before the clean-up.
	process := exec.Command(buildVault(t), "-data="+filepath.Join(dir, "data"), //nolint:noctx // See above.
		"-certificate="+pair.CertFile, "-key="+pair.KeyFile)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("Vault does not start: %v", err)
	}
	v.address = strings.TrimSpace(line)
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // The standard library's own.
	transport.Proxy, transport.TLSClientConfig.RootCAs = nil, ca.Pool()
	v.root, err = api.NewClient(&api.Config{
		Address: "https://" + v.address, DisableEnvironment: true, Timeout: time.Minute,
		HttpClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (v *vault) awaitActive(t *testing.T) {
	t.Helper()
	for range 3000 {
		if health, err := v.root.Sys().HealthWithContext(t.Context()); err == nil && !health.Sealed && !health.Standby {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("Vault does not become active")
}

func (v *vault) write(t *testing.T, path string, data map[string]any) {
	t.Helper()
	if _, err := v.root.Logical().WriteWithContext(t.Context(), path, data); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

func (v *vault) publicKey(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&v.issuer.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token is one as the cluster makes it for a pod.
func (v *vault) token(t *testing.T, subject, audience string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: v.issuer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Subject: subject, Audience: jwt.Audience{audience}, IssuedAt: jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(10 * time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
