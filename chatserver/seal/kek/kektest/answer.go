// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kektest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

func writeFile(tb testing.TB, file, content string) string {
	tb.Helper()
	if err := os.WriteFile(file, []byte(content+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func (t *Transit) listen(tb testing.TB, address string) {
	tb.Helper()
	leaf := certtest.Leaf{CommonName: "vault", Hosts: []string{"127.0.0.1"}}
	pair := t.ca.Write(tb, filepath.Join(t.dir, "server"), leaf)
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	t.server = &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: t, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}}
	t.server.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12,
	}
	t.server.StartTLS()
	t.address = "https://" + listener.Addr().String()
}

// request holds the fields of every request answered here.
type request struct {
	Plaintext      string `json:"plaintext"`
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
	Role           string `json:"role"`
	JWT            string `json:"jwt"`
	Name           string `json:"name"`
}

// fault is an error answer.
type fault struct {
	status int
	text   string
}

func (f fault) Error() string { return f.text }

var denied = fault{http.StatusForbidden, "permission denied"}

// ServeHTTP answers one request.
func (t *Transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in request
	answer, err := any(nil), json.NewDecoder(r.Body).Decode(&in)
	if err == nil {
		answer, err = t.answer(r, &in)
	}
	if err != nil {
		status := http.StatusBadRequest
		if f, ok := err.(fault); ok { //nolint:errorlint // Never wrapped.
			status = f.status
		}
		w.WriteHeader(status)
		answer = map[string]any{"errors": []string{err.Error()}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (t *Transit) answer(r *http.Request, in *request) (any, error) {
	t.mu.Lock()
	sealed, known := t.sealed, t.tokens[r.Header.Get("X-Vault-Token")]
	t.mu.Unlock()
	if sealed {
		return nil, fault{http.StatusServiceUnavailable, "Vault is sealed"}
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/v1/"); path {
	case "auth/jwt/login":
		return t.logIn(in.Role == Role && in.JWT == JWT)
	case "auth/cert/login":
		return t.logIn(in.Name == Role && len(r.TLS.PeerCertificates) > 0)
	case Mount + "/encrypt/" + Key:
		return t.use(known, in, t.encrypt)
	case Mount + "/decrypt/" + Key:
		return t.use(known, in, t.decrypt)
	default:
		return nil, denied
	}
}

func (t *Transit) logIn(ok bool) (any, error) {
	if !ok {
		return nil, fault{http.StatusBadRequest, "invalid credentials"}
	}
	return map[string]any{"auth": map[string]any{"client_token": t.newToken(), "lease_duration": 300}}, nil
}

func (t *Transit) use(known bool, in *request, operation func(*request) (map[string]any, error)) (any, error) {
	if !known {
		return nil, denied
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	if t.Forgetful {
		in.AssociatedData = ""
	}
	data, err := operation(in)
	return map[string]any{"data": data}, err
}

func (t *Transit) encrypt(in *request) (map[string]any, error) {
	plaintext, err := base64.StdEncoding.DecodeString(in.Plaintext)
	if err != nil {
		return nil, err
	}
	ad, err := base64.StdEncoding.DecodeString(in.AssociatedData)
	if err != nil {
		return nil, err
	}
	key, err := gcm(t.keys[len(t.keys)-1])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, key.NonceSize())
	_, _ = rand.Read(nonce)
	out := base64.StdEncoding.EncodeToString(key.Seal(nonce, nonce, plaintext, ad))
	return map[string]any{
		"ciphertext": fmt.Sprintf("vault:v%d:%s", len(t.keys), out), "key_version": len(t.keys),
	}, nil
}

func (t *Transit) decrypt(in *request) (map[string]any, error) {
	parts := strings.SplitN(in.Ciphertext, ":", 3)
	if len(parts) != 3 || parts[0] != "vault" {
		return nil, fault{http.StatusBadRequest, "invalid ciphertext: no prefix"}
	}
	version, err := strconv.Atoi(strings.TrimPrefix(parts[1], "v"))
	if err != nil || version < 1 || version > len(t.keys) {
		return nil, fault{http.StatusBadRequest, "invalid ciphertext: version could not be decoded"}
	}
	if version < t.oldest {
		return nil, fault{http.StatusBadRequest, "ciphertext or signature version is disallowed by policy (too old)"}
	}
	sealed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, fault{http.StatusBadRequest, "invalid ciphertext: could not decode base64"}
	}
	ad, err := base64.StdEncoding.DecodeString(in.AssociatedData)
	if err != nil {
		return nil, err
	}
	key, err := gcm(t.keys[version-1])
	if err != nil || len(sealed) < key.NonceSize() {
		return nil, fault{http.StatusBadRequest, "invalid ciphertext: too short"}
	}
	plaintext, err := key.Open(nil, sealed[:key.NonceSize()], sealed[key.NonceSize():], ad)
	if err != nil {
		return nil, fault{http.StatusBadRequest, "cipher: message authentication failed"}
	}
	return map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plaintext)}, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
