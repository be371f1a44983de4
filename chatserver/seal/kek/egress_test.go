// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/egress/egresstest"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

func TestAKeyServiceOutsideIsReachedThroughTheGatewayOnly(t *testing.T) {
	gateway := egresstest.Start(t, egresstest.Deny(egressconfig.ReasonNotDeclared))
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := kek.Open(serverconfig.Sealing{KeyEncryptionKey: serverconfig.KeyEncryptionKey{
		VaultTransit: &serverconfig.VaultTransit{
			Generation: 1, Address: "https://vault.example", MountPath: "transit", Key: "acme",
			CAFile: gateway.Client.CAFile, Auth: serverconfig.VaultAuth{TokenFile: token},
		},
	}}, &gateway.Client)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ring.Newest().EncryptWithContext(t.Context(), []byte("keyset"), nil)
	if err == nil || !strings.Contains(err.Error(), string(egressconfig.ReasonNotDeclared)) {
		t.Errorf("got %v, want the gateway's reason", err)
	}
	if asked := gateway.Asked(); !slices.Contains(asked, "CONNECT vault.example:443") {
		t.Errorf("the gateway was asked %q", asked)
	}
}
