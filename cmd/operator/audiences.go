// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/client-go/rest"
)

// apiAudiences are those of the operator's own token, and so of tokens that the API server takes. Whoever is known to
// it by something else than a ServiceAccount's token, a developer's certificate say, learns of none.
func apiAudiences(config *rest.Config) ([]string, error) {
	token := config.BearerToken
	if config.BearerTokenFile != "" {
		content, err := os.ReadFile(filepath.Clean(config.BearerTokenFile))
		if err != nil {
			return nil, fmt.Errorf("read the operator's token: %w", err)
		}
		token = cmp.Or(strings.TrimSpace(string(content)), token)
	}
	// Whether the token is genuine is the API server's to say, with every request.
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512,
		jose.EdDSA,
	})
	if err != nil {
		// No JWT is no token of a ServiceAccount. The error may quote it.
		return nil, nil //nolint:nilerr // As documented.
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, nil //nolint:nilerr // As above.
	}
	return claims.Audience, nil
}
