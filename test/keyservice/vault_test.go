// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

package keyservice

import (
	"testing"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/test/vaultserver"
)

// vault is a real one, and the issuer of the tokens that it takes, which stands in for the cluster.
type vault struct {
	*vaultserver.Server
	*vaultserver.Issuer
}

// startVault proves itself as vaultHost and lets in whoever has a token of this subject for this audience.
func startVault(t *testing.T, ca *certtest.CA, subject, audience string) *vault {
	t.Helper()
	v := &vault{vaultserver.Run(t, vaultserver.Options{CA: ca, Hosts: []string{vaultHost}}), vaultserver.NewIssuer(t)}
	v.Admit(t, "acme", subject, audience, v.PublicKey(t))
	return v
}
