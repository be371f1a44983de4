// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package kektest stands in for key services in tests.
package kektest

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/test/loopback"
)

// What the double knows its clients by.
const (
	Mount = "transit"
	Key   = "acme"
	Role  = "chat-acme"
	// JWT is the one it lets in.
	JWT = "header.claims.signature"
)

// Transit is a server that answers as the transit engine of Vault and OpenBao is documented to: encrypt and decrypt
// with associated data and key versions, and the logins jwt and cert. The suite that proves the provider runs against
// it and against a real server.
type Transit struct {
	// Forgetful makes it ignore associated data, as servers did before they knew it.
	Forgetful bool

	address string
	caFile  string
	dir     string
	ca      *certtest.CA
	server  *httptest.Server

	mu sync.Mutex
	// keys are the key's versions, from 1.
	keys   [][]byte
	oldest int
	sealed bool
	tokens map[string]bool
	// Asked counts encryptions and decryptions.
	asked int
}

// NewTransit starts a server with one key, until the test ends.
func NewTransit(tb testing.TB) *Transit {
	tb.Helper()
	dir, ca := tb.TempDir(), certtest.NewCA(tb)
	t := &Transit{
		dir: dir, ca: ca, caFile: ca.WriteCert(tb, filepath.Join(dir, "ca.crt")), oldest: 1, tokens: map[string]bool{},
	}
	t.Rotate(tb)
	// It may stop and listen there again.
	t.listen(tb, loopback.Address(tb))
	tb.Cleanup(func() { t.server.Close() })
	return t
}

// Rotate makes a new version of the key.
func (t *Transit) Rotate(testing.TB) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys = append(t.keys, key)
}

// Retire forbids decryption with versions before oldest.
func (t *Transit) Retire(_ testing.TB, oldest int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.oldest = oldest
}

// SetSealed makes it answer as a sealed server.
func (t *Transit) SetSealed(_ testing.TB, sealed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sealed = sealed
}

// Token writes a token that may use the key to a file.
func (t *Transit) Token(tb testing.TB) (file string) {
	tb.Helper()
	return writeFile(tb, filepath.Join(t.dir, "token"), t.newToken())
}

// RevokeTokens makes every token invalid.
func (t *Transit) RevokeTokens(testing.TB) {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.tokens)
}

func (t *Transit) newToken() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	token := "hvs." + rand.Text()
	t.tokens[token] = true
	return token
}

// WithToken is a configuration that authenticates with a token.
func (t *Transit) WithToken(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	return t.config(serverconfig.VaultAuth{TokenFile: t.Token(tb)})
}

// WithJWT is a configuration that logs in with a JWT.
func (t *Transit) WithJWT(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	file := writeFile(tb, filepath.Join(t.dir, "jwt"), JWT)
	return t.config(serverconfig.VaultAuth{JWT: &serverconfig.VaultJWT{MountPath: "jwt", Role: Role, File: file}})
}

// WithCertificate is a configuration that logs in with a client certificate.
func (t *Transit) WithCertificate(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	pair := t.ca.Write(tb, filepath.Join(t.dir, "client"), certtest.Leaf{CommonName: Role})
	return t.config(serverconfig.VaultAuth{
		Certificate: &serverconfig.VaultCertificate{MountPath: "cert", Role: Role, KeyPair: pair},
	})
}

func (t *Transit) config(auth serverconfig.VaultAuth) serverconfig.VaultTransit {
	return serverconfig.VaultTransit{
		Generation: 1, Address: t.address, MountPath: Mount, Key: Key, CAFile: t.caFile, Auth: auth,
	}
}

// Stop makes it unreachable, Start reachable again at the same address.
func (t *Transit) Stop(testing.TB) { t.server.Close() }

// Start ends what Stop began.
func (t *Transit) Start(tb testing.TB) {
	tb.Helper()
	t.listen(tb, t.address[len("https://"):])
}

// Asked counts the encryptions and decryptions so far.
func (t *Transit) Asked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

var _ http.Handler = (*Transit)(nil)
