// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

func signedFor(t *testing.T, audiences ...string) string {
	t.Helper()
	key := jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{Audience: audiences}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	// What the API server signs with is no shared key; the signature is not looked at.
	_, rest, _ := strings.Cut(token, ".")
	return "eyJhbGciOiJSUzI1NiJ9." + rest
}

func TestTheAPIsAudiencesAreThoseOfTheOperatorsOwnToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	audiences := []string{"https://issuer.example", "https://kubernetes.default.svc"}
	if err := os.WriteFile(file, []byte(signedFor(t, audiences...)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config rest.Config
		want   []string
	}{
		"a mounted token": {rest.Config{BearerTokenFile: file, BearerToken: "stale"}, audiences},
		"a token":         {rest.Config{BearerToken: signedFor(t, "one")}, []string{"one"}},
		"something else":  {rest.Config{BearerToken: "abcdef.0123456789abcdef"}, nil},
		"a certificate":   {rest.Config{}, nil},
	} {
		got, err := apiAudiences(&test.config)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := apiAudiences(&rest.Config{BearerTokenFile: file + ".gone"}); err == nil {
		t.Error("a token that cannot be read goes unnoticed")
	}
}
