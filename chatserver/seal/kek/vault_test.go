// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/seal/kek/kektest"
)

func TestVaultTransitAsDocumented(t *testing.T) {
	proveTransit(t, func(tb testing.TB) transitServer { return kektest.NewTransit(tb) })
}

func TestAServerThatIgnoresAssociatedDataIsNotUsed(t *testing.T) {
	server := kektest.NewTransit(t)
	server.Forgetful = true
	key := kek.FromVaultTransit(server.WithToken(t))
	if _, err := key.EncryptWithContext(t.Context(), []byte("keyset"), []byte("place")); !errors.Is(err, kek.ErrUnusable) {
		t.Errorf("got %v, want ErrUnusable", err)
	}
}

func TestNothingIsTakenFromTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"ADDR": "https://127.0.0.1:1", "TOKEN": "hvs.other", "NAMESPACE": "other", "SKIP_VERIFY": "true",
		"CACERT": "/nowhere", "HTTP_PROXY": "http://127.0.0.1:1", "CLIENT_TIMEOUT": "1ns",
	} {
		t.Setenv("VAULT_"+name, value)
		t.Setenv("BAO_"+name, value)
	}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	key := kek.FromVaultTransit(kektest.NewTransit(t).WithToken(t))
	expectOpens(t, key, wrap(t, key, "place"), "place")
}

// serveTLS runs handler with a certificate that the returned configuration trusts.
func serveTLS(t *testing.T, handler http.HandlerFunc, change func(*tls.Config)) serverconfig.VaultTransit {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	change(server.TLS)
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), "hvs.token")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return serverconfig.VaultTransit{
		Generation: 1, Address: server.URL, MountPath: "transit", Key: "acme", CAFile: filepath.Join(dir, "ca.crt"),
		Auth: serverconfig.VaultAuth{TokenFile: filepath.Join(dir, "token")},
	}
}

func asIs(*tls.Config) {}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Bool
	elsewhere := serveTLS(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) }, asIs)
	config := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere.Address+"/v1/transit/encrypt/acme")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}, asIs)
	_, err := kek.FromVaultTransit(config).EncryptWithContext(t.Context(), []byte("keyset"), nil)
	if !errors.Is(err, kek.ErrUnavailable) || followed.Load() {
		t.Errorf("got %v, followed = %v", err, followed.Load())
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	config := serveTLS(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came through") },
		func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	_, err := kek.FromVaultTransit(config).EncryptWithContext(t.Context(), []byte("keyset"), nil)
	if !errors.Is(err, kek.ErrUnavailable) || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v, want a protocol version refused", err)
	}
}

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	config := serveTLS(t, func(http.ResponseWriter, *http.Request) { <-release }, asIs)
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := kek.FromVaultTransit(config).DecryptWithContext(ctx, []byte("vault:v1:"), nil)
	if !errors.Is(err, kek.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want ErrUnavailable at the deadline", err)
	}
}

func TestAnswersThatMakeNoSenseAreNotBelieved(t *testing.T) {
	for name, answer := range map[string]string{
		"empty": "", "no JSON": "<html>", "no data": "{}", "no text": `{"data": {"ciphertext": 1, "plaintext": []}}`,
		"no base64": `{"data": {"plaintext": "%"}}`,
		"endless":   `{"data": {"plaintext": "` + strings.Repeat("A", 2<<20) + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			config := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }, asIs)
			_, err := kek.FromVaultTransit(config).DecryptWithContext(t.Context(), []byte("vault:v1:AAAA"), nil)
			if !errors.Is(err, kek.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		})
	}
}
