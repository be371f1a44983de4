// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

var (
	// ErrRefused says that a ciphertext does not open: another key, another place, or changed bytes.
	ErrRefused = errors.New("ciphertext refused")
	// ErrUnknownKey accompanies ErrRefused if the ciphertext names a key that the keyset does not have: the keyset may
	// be out of date.
	ErrUnknownKey = errors.New("unknown key")
)

// Key seals and opens values of one tenant, either of the tenant itself or of one data subject. Safe for concurrent
// use.
type Key struct {
	tenant string
	aead   tink.AEAD
	ids    KeyIDs
}

// Seal encrypts value for place.
func (k *Key) Seal(place Place, value redacted.String) ([]byte, error) {
	ciphertext, err := k.aead.Encrypt([]byte(value.Reveal()), place.associatedData(k.tenant))
	if err != nil {
		return nil, fmt.Errorf("seal %s.%s: %w", place.Table, place.Column, err)
	}
	return ciphertext, nil
}

// Open decrypts what Seal made for the same place, or reports ErrRefused, and ErrUnknownKey with it if the ciphertext
// names a key that is not in the keyset.
func (k *Key) Open(place Place, ciphertext []byte) (redacted.String, error) {
	plaintext, err := k.aead.Decrypt(ciphertext, place.associatedData(k.tenant))
	switch {
	case err == nil:
		return redacted.New(string(plaintext)), nil
	case k.ids.lacks(KeyID(ciphertext)):
		return redacted.String{}, fmt.Errorf("open %s.%s: %w: %w", place.Table, place.Column, ErrRefused, ErrUnknownKey)
	default:
		return redacted.String{}, fmt.Errorf("open %s.%s: %w", place.Table, place.Column, ErrRefused)
	}
}

// Reseal seals with the primary key what any key of the keyset sealed for the same place.
func (k *Key) Reseal(place Place, ciphertext []byte) ([]byte, error) {
	value, err := k.Open(place, ciphertext)
	if err != nil {
		return nil, err
	}
	return k.Seal(place, value)
}

// IDs names the keys.
func (k *Key) IDs() KeyIDs { return k.ids }

// KeyID is the key that a ciphertext says it was made with, 0 if it names none.
func KeyID(ciphertext []byte) uint32 {
	if len(ciphertext) < cryptofmt.TinkPrefixSize || ciphertext[0] != cryptofmt.TinkStartByte {
		return 0
	}
	return binary.BigEndian.Uint32(ciphertext[1:])
}

func newKey(tenant string, handle *keyset.Handle) (*Key, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use keyset: %w", err)
	}
	ids, err := idsOf(handle)
	if err != nil {
		return nil, err
	}
	return &Key{tenant: tenant, aead: primitive, ids: ids}, nil
}
