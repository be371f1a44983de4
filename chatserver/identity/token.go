// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// tokenSize is the entropy of a bearer secret in bytes.
const tokenSize = 32

// token is a bearer secret and what is stored of it. A plain hash is enough: 256 random bits cannot be searched.
type token struct {
	text redacted.String
	hash [sha256.Size]byte
}

var encoding = base64.RawURLEncoding.Strict()

func newToken() token {
	raw := make([]byte, tokenSize)
	_, _ = rand.Read(raw) // Never fails: it ends the process instead.
	return token{text: redacted.New(encoding.EncodeToString(raw)), hash: sha256.Sum256(raw)}
}

func parseToken(text redacted.String) (token, error) {
	raw, err := encoding.DecodeString(text.Reveal())
	if err != nil || len(raw) != tokenSize {
		return token{}, ErrUnauthenticated
	}
	return token{text: text, hash: sha256.Sum256(raw)}, nil
}
