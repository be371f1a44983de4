// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// ErrRefused says that a ciphertext does not open: another key, another place, or changed bytes.
var ErrRefused = errors.New("ciphertext refused")

// Key seals and opens values of one tenant, either of the tenant itself or of one data subject. Safe for concurrent
// use.
type Key struct {
	tenant string
	aead   tink.AEAD
}

// Seal encrypts value for place.
func (k *Key) Seal(place Place, value redacted.String) ([]byte, error) {
	ciphertext, err := k.aead.Encrypt([]byte(value.Reveal()), place.associatedData(k.tenant))
	if err != nil {
		return nil, fmt.Errorf("seal %s.%s: %w", place.Table, place.Column, err)
	}
	return ciphertext, nil
}

// Open decrypts what Seal made for the same place, or reports ErrRefused.
func (k *Key) Open(place Place, ciphertext []byte) (redacted.String, error) {
	plaintext, err := k.aead.Decrypt(ciphertext, place.associatedData(k.tenant))
	if err != nil {
		return redacted.String{}, fmt.Errorf("open %s.%s: %w", place.Table, place.Column, ErrRefused)
	}
	return redacted.New(string(plaintext)), nil
}

func newKey(tenant string, handle *keyset.Handle) (*Key, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use keyset: %w", err)
	}
	return &Key{tenant: tenant, aead: primitive}, nil
}
