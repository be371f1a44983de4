// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

package kek_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/test/vaultserver"
)

func TestVaultTransitAsVaultHasIt(t *testing.T) {
	program := vaultserver.Build(t)
	proveTransit(t, func(tb testing.TB) transitServer { return newVault(tb, program) })
}

// realVault is a Vault with the key of these tests, and every way to log in.
type realVault struct {
	*vaultserver.Server

	caFile, clients string
	ca              *certtest.CA
	issuer          *vaultserver.Issuer
}

const (
	vaultMount = "transit"
	vaultKey   = "acme"
	vaultRole  = "chat-acme"

	jwtSubject  = "system:serviceaccount:chat-acme:chatserver"
	jwtAudience = "vault"
)

func newVault(tb testing.TB, program string) *realVault {
	tb.Helper()
	v := &realVault{clients: tb.TempDir(), ca: certtest.NewCA(tb), issuer: vaultserver.NewIssuer(tb)}
	v.caFile = v.ca.WriteCert(tb, filepath.Join(tb.TempDir(), "ca.crt"))
	v.Server = vaultserver.Run(tb, vaultserver.Options{CA: v.ca, Program: program})
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
		{"sys/policies/acl/" + vaultRole, map[string]any{"policy": vaultserver.UsePolicy(vaultMount, vaultKey)}},
		{"sys/auth/jwt", map[string]any{"type": "jwt"}},
		{"auth/jwt/config", map[string]any{"jwt_validation_pubkeys": []string{v.issuer.PublicKey(tb)}}},
		{"auth/jwt/role/" + vaultRole, map[string]any{
			"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{jwtAudience},
			"bound_subject": jwtSubject, "token_policies": vaultRole,
		}},
		{"sys/auth/cert", map[string]any{"type": "cert"}},
		{"auth/cert/certs/" + vaultRole, map[string]any{
			"certificate": string(certificate), "allowed_common_names": vaultRole, "token_policies": vaultRole,
		}},
	} {
		v.Write(tb, step.path, step.data)
	}
}
