// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

package kek_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

func (v *realVault) WithToken(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	answer := v.Write(tb, "auth/token/create", map[string]any{"policies": []string{vaultRole}, "ttl": "1h"})
	return v.config(serverconfig.VaultAuth{TokenFile: v.write(tb, "token", answer.Auth.ClientToken)})
}

func (v *realVault) WithJWT(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	file := v.write(tb, "jwt", v.issuer.Token(tb, jwtSubject, jwtAudience))
	return v.config(serverconfig.VaultAuth{JWT: &serverconfig.VaultJWT{MountPath: "jwt", Role: vaultRole, File: file}})
}

func (v *realVault) WithCertificate(tb testing.TB) serverconfig.VaultTransit {
	tb.Helper()
	pair := v.ca.Write(tb, filepath.Join(v.clients, "client"), certtest.Leaf{CommonName: vaultRole})
	return v.config(serverconfig.VaultAuth{
		Certificate: &serverconfig.VaultCertificate{MountPath: "cert", Role: vaultRole, KeyPair: pair},
	})
}

func (v *realVault) config(auth serverconfig.VaultAuth) serverconfig.VaultTransit {
	return serverconfig.VaultTransit{
		Generation: 1, Address: "https://" + v.Address, MountPath: vaultMount, Key: vaultKey, CAFile: v.caFile, Auth: auth,
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
	v.Write(tb, vaultMount+"/keys/"+vaultKey+"/rotate", nil)
}

func (v *realVault) Retire(tb testing.TB, oldest int) {
	tb.Helper()
	v.Write(tb, vaultMount+"/keys/"+vaultKey+"/config", map[string]any{"min_decryption_version": oldest})
}

// RevokeTokens takes every token away but the one of whoever runs the server.
func (v *realVault) RevokeTokens(tb testing.TB) {
	tb.Helper()
	self, err := v.Root.Auth().Token().LookupSelfWithContext(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	list, err := v.Root.Logical().ListWithContext(tb.Context(), "auth/token/accessors")
	if err != nil {
		tb.Fatal(err)
	}
	accessors, _ := list.Data["keys"].([]any)
	revoked := 0
	for _, accessor := range accessors {
		if accessor != self.Data["accessor"] {
			v.Write(tb, "auth/token/revoke-accessor", map[string]any{"accessor": accessor})
			revoked++
		}
	}
	if revoked == 0 {
		tb.Fatal("there is no token to revoke")
	}
}
