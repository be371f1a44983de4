// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

package kek_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

func (v *realVault) WithToken(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	answer := v.do(tb, "auth/token/create", map[string]any{"policies": []string{vaultRole}, "ttl": "1h"})
	return v.config(serverconfig.VaultAuth{TokenFile: v.write(tb, "token", answer.Auth.ClientToken)})
}

func (v *realVault) WithJWT(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	file := v.write(tb, "jwt", v.issuer.token(tb))
	return v.config(serverconfig.VaultAuth{JWT: &serverconfig.VaultJWT{MountPath: "jwt", Role: vaultRole, File: file}})
}

func (v *realVault) WithCertificate(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	pair := v.ca.Write(tb, filepath.Join(v.dir, "client"), certtest.Leaf{CommonName: vaultRole})
	return v.config(serverconfig.VaultAuth{
		Certificate: &serverconfig.VaultCertificate{MountPath: "cert", Role: vaultRole, KeyPair: pair},
	})
}

func (v *realVault) config(auth serverconfig.VaultAuth) serverconfig.VaultTransit {
	return serverconfig.VaultTransit{
		Generation: 1, Address: "https://" + v.address, MountPath: vaultMount, Key: vaultKey, CAFile: v.caFile, Auth: auth,
	}
}

func (v *realVault) write(tb testing.TB, name, content string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func (v *realVault) Rotate(tb testing.TB) {
	tb.Helper()
	v.do(tb, vaultMount+"/keys/"+vaultKey+"/rotate", nil)
}

func (v *realVault) Retire(tb testing.TB, oldest int) {
	tb.Helper()
	v.do(tb, vaultMount+"/keys/"+vaultKey+"/config", map[string]any{"min_decryption_version": oldest})
}

func (v *realVault) SetSealed(tb testing.TB, sealed bool) {
	tb.Helper()
	if sealed {
		if err := v.root.Sys().SealWithContext(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		return
	}
	if _, err := v.root.Sys().UnsealWithContext(tb.Context(), v.unsealKey); err != nil {
		tb.Fatal(err)
	}
	// Unsealed is not yet active: the one server there is has to become the leader first.
	for range 1000 {
		if health, err := v.root.Sys().HealthWithContext(tb.Context()); err == nil && !health.Sealed && !health.Standby {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatal("Vault does not become active")
}

// RevokeTokens takes every token away but the one of whoever runs the server.
func (v *realVault) RevokeTokens(tb testing.TB) {
	tb.Helper()
	self, err := v.root.Auth().Token().LookupSelfWithContext(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	list, err := v.root.Logical().ListWithContext(tb.Context(), "auth/token/accessors")
	if err != nil {
		tb.Fatal(err)
	}
	accessors, _ := list.Data["keys"].([]any)
	revoked := 0
	for _, accessor := range accessors {
		if accessor != self.Data["accessor"] {
			v.do(tb, "auth/token/revoke-accessor", map[string]any{"accessor": accessor})
			revoked++
		}
	}
	if revoked == 0 {
		tb.Fatal("there is no token to revoke")
	}
}

// Stop ends the process, Start begins another with what it stored.
func (v *realVault) Stop(tb testing.TB) {
	tb.Helper()
	if v.process == nil {
		return
	}
	if err := v.process.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Error(err)
	}
	if err := v.process.Wait(); err != nil {
		tb.Errorf("Vault ended with %v", err)
	}
	v.process = nil
}

func (v *realVault) Start(tb testing.TB) {
	tb.Helper()
	v.run(tb, v.address)
	v.SetSealed(tb, false)
}

const jwtSubject = "system:serviceaccount:chat-acme:chatserver"

// jwtIssuer signs tokens as a cluster does for its pods.
type jwtIssuer struct{ key *ecdsa.PrivateKey }

func newJWTIssuer(tb testing.TB) *jwtIssuer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return &jwtIssuer{key}
}

func (i *jwtIssuer) publicKey(tb testing.TB) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token is a JWT signed with ES256.
func (i *jwtIssuer) token(tb testing.TB) string {
	tb.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	text := encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + encode(fmt.Appendf(nil,
		`{"sub":%q,"aud":"vault","iat":%d,"nbf":%d,"exp":%d}`, jwtSubject, now, now, now+600))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature)
}
