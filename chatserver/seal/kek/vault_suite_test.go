// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

// transitServer is a server with a transit key, real or not.
type transitServer interface {
	WithToken(tb testing.TB) serverconfig.VaultTransit
	WithJWT(tb testing.TB) serverconfig.VaultTransit
	WithCertificate(tb testing.TB) serverconfig.VaultTransit
	// Rotate makes a new version of the key, Retire forbids decryption with those before oldest.
	Rotate(tb testing.TB)
	Retire(tb testing.TB, oldest int)
	SetSealed(tb testing.TB, sealed bool)
	RevokeTokens(tb testing.TB)
	Stop(tb testing.TB)
	Start(tb testing.TB)
}

// proveTransit runs every promise of the provider against a kind of server.
func proveTransit(t *testing.T, newServer func(testing.TB) transitServer) {
	t.Helper()
	for name, prove := range map[string]func(*testing.T, transitServer){
		"what was wrapped opens only in its place":           proveBinding,
		"a rotated key opens what its old versions wrapped":  proveVersions,
		"every way to log in works and rereads its files":    proveLogins,
		"a token taken away is replaced by logging in again": proveRevocation,
		"each refusal and absence says what it is":           proveFaults,
		"a tenant's keysets move between versions":           proveRewrap,
	} {
		t.Run(name, func(t *testing.T) { prove(t, newServer(t)) })
	}
}

func wrap(t *testing.T, key kek.Key, associatedData string) []byte {
	t.Helper()
	ciphertext, err := key.EncryptWithContext(t.Context(), []byte("keyset"), []byte(associatedData))
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

func expectOpens(t *testing.T, key kek.Key, ciphertext []byte, associatedData string) {
	t.Helper()
	got, err := key.DecryptWithContext(t.Context(), ciphertext, []byte(associatedData))
	if err != nil || string(got) != "keyset" {
		t.Errorf("opened %q, %v", got, err)
	}
}

func proveBinding(t *testing.T, server transitServer) {
	key := kek.FromVaultTransit(server.WithToken(t))
	ciphertext := wrap(t, key, "place")
	if bytes.Contains(ciphertext, []byte("keyset")) {
		t.Error("the ciphertext shows the keyset")
	}
	expectOpens(t, key, ciphertext, "place")
	expectOpens(t, key, wrap(t, key, ""), "")
	last := len(ciphertext) - 10
	for name, spoilt := range map[string][]byte{
		"a changed byte": append(append(bytes.Clone(ciphertext[:last]), ciphertext[last]^1), ciphertext[last+1:]...),
		"no prefix":      ciphertext[len("vault:v1:"):],
		"no version yet": bytes.Replace(ciphertext, []byte(":v1:"), []byte(":v9:"), 1),
		"nothing":        nil,
	} {
		if _, err := key.DecryptWithContext(t.Context(), spoilt, []byte("place")); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
	for _, other := range []string{"", "other", "place "} {
		if _, err := key.DecryptWithContext(t.Context(), ciphertext, []byte(other)); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("place %q: %v, want ErrRefused", other, err)
		}
	}
}

func proveVersions(t *testing.T, server transitServer) {
	key := kek.FromVaultTransit(server.WithToken(t))
	old := wrap(t, key, "place")
	server.Rotate(t)
	fresh := wrap(t, key, "place")
	if a, b := key.Version(old), key.Version(fresh); a != 1 || b != 2 {
		t.Errorf("versions %d and %d, want 1 and 2", a, b)
	}
	expectOpens(t, key, old, "place")
	expectOpens(t, key, fresh, "place")
	server.Retire(t, 2)
	expectOpens(t, key, fresh, "place")
	if _, err := key.DecryptWithContext(t.Context(), old, []byte("place")); !errors.Is(err, seal.ErrRefused) ||
		!strings.Contains(err.Error(), "too old") {
		t.Errorf("a retired version: %v, want ErrRefused with the reason", err)
	}
}

func proveLogins(t *testing.T, server transitServer) {
	withJWT := server.WithJWT(t)
	configs := map[string]serverconfig.VaultTransit{
		"token": server.WithToken(t), "jwt": withJWT, "certificate": server.WithCertificate(t),
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			key := kek.FromVaultTransit(config)
			expectOpens(t, key, wrap(t, key, "place"), "place")
		})
	}
	key := kek.FromVaultTransit(withJWT)
	good := read(t, withJWT.Auth.JWT.File)
	write(t, withJWT.Auth.JWT.File, "not.a.token")
	_, err := key.EncryptWithContext(t.Context(), []byte("keyset"), nil)
	if !errors.Is(err, kek.ErrUnavailable) || strings.Contains(err.Error(), "not.a.token") {
		t.Errorf("with a wrong JWT: %v, want ErrUnavailable without it", err)
	}
	write(t, withJWT.Auth.JWT.File, good)
	expectOpens(t, key, wrap(t, key, "place"), "place")
}

func proveRevocation(t *testing.T, server transitServer) {
	key := kek.FromVaultTransit(server.WithJWT(t))
	ciphertext := wrap(t, key, "place")
	server.RevokeTokens(t)
	expectOpens(t, key, ciphertext, "place")
}

func proveFaults(t *testing.T, server transitServer) {
	config := server.WithToken(t)
	key := kek.FromVaultTransit(config)
	ciphertext := wrap(t, key, "place")

	another := config
	another.Key = "globex"
	expectUnavailable(t, kek.FromVaultTransit(another), ciphertext, "permission denied")
	nowhere := config
	nowhere.MountPath = "elsewhere"
	expectUnavailable(t, kek.FromVaultTransit(nowhere), ciphertext, "permission denied")
	nobody := config
	nobody.Auth.TokenFile = filepath.Join(t.TempDir(), "token")
	expectUnavailable(t, kek.FromVaultTransit(nobody), ciphertext, "no such file")
	write(t, nobody.Auth.TokenFile, "hvs.unknown")
	expectUnavailable(t, kek.FromVaultTransit(nobody), ciphertext, "permission denied")
	strange := config
	strange.CAFile = certtest.NewCA(t).WriteCert(t, filepath.Join(t.TempDir(), "ca.crt"))
	expectUnavailable(t, kek.FromVaultTransit(strange), ciphertext, "certificate")

	server.SetSealed(t, true)
	expectUnavailable(t, key, ciphertext, "sealed")
	server.SetSealed(t, false)
	expectOpens(t, key, ciphertext, "place")
	server.Stop(t)
	expectUnavailable(t, key, ciphertext, config.Address)
	server.Start(t)
	expectOpens(t, key, ciphertext, "place")
}

// expectUnavailable asks in vain, both ways, and reads neither credentials nor data in the answer.
func expectUnavailable(t *testing.T, key kek.Key, ciphertext []byte, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, decryptErr := key.DecryptWithContext(ctx, ciphertext, []byte("place"))
	_, encryptErr := key.EncryptWithContext(ctx, []byte("keyset"), []byte("place"))
	for _, err := range []error{decryptErr, encryptErr} {
		if !errors.Is(err, kek.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrUnavailable with %q", err, want)
			continue
		}
		for _, secret := range []string{"hvs.", string(ciphertext), "a2V5c2V0"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows %q: %v", secret, err)
			}
		}
	}
}

func proveRewrap(t *testing.T, server transitServer) {
	key, file := kek.FromVaultTransit(server.WithCertificate(t)), fromFile(writeKey(t, "a", 32), 7)
	wrapped, err := seal.NewTenant(t.Context(), file, "acme")
	if err != nil {
		t.Fatal(err)
	}
	moved, err := seal.Rewrap(t.Context(), file, key, "acme", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	server.Rotate(t)
	renewed, err := seal.Rewrap(t.Context(), key, key, "acme", moved)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err := renewed.Ciphertext()
	if err != nil || key.Version(ciphertext) != 2 {
		t.Errorf("rewrapped with version %d, %v, want 2", key.Version(ciphertext), err)
	}
	for _, w := range []seal.Wrapped{moved, renewed} {
		if _, err := seal.OpenTenant(t.Context(), key, "acme", w); err != nil {
			t.Error(err)
		}
		if _, err := seal.OpenTenant(t.Context(), key, "globex", w); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("another tenant: %v, want ErrRefused", err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
