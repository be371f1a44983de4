// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// secretSize is the size of a key in a file, in bytes: AES-256.
const secretSize = 32

// FromSecret uses a key from a file of exactly 32 raw bytes with AES-GCM. The file is read for each call: between calls
// the key is not in memory, and a file that comes late or is replaced is noticed.
func FromSecret(config serverconfig.SecretKey) Key {
	return Key{KEK: secret(config.File), Generation: config.Generation, Name: "secret"}
}

// secret is the path of a key file.
type secret string

func (s secret) EncryptWithContext(_ context.Context, plaintext, associatedData []byte) ([]byte, error) {
	cipher, err := s.read()
	if err != nil {
		return nil, err
	}
	out, err := cipher.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("encrypt with key %s: %w", s, err)
	}
	return out, nil
}

func (s secret) DecryptWithContext(_ context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	cipher, err := s.read()
	if err != nil {
		return nil, err
	}
	out, err := cipher.Decrypt(ciphertext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("decrypt with key %s: %w", s, seal.ErrRefused)
	}
	return out, nil
}

func (s secret) read() (*subtle.AESGCM, error) {
	key, err := os.ReadFile(filepath.Clean(string(s)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s: no such file", ErrUnusable, s)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read key: %w", ErrUnavailable, err)
	}
	defer clear(key)
	if len(key) != secretSize {
		return nil, fmt.Errorf("%w: key %s: want %d raw bytes, got %d", ErrUnusable, s, secretSize, len(key))
	}
	cipher, err := subtle.NewAESGCM(key)
	if err != nil {
		return nil, fmt.Errorf("use key %s: %w", s, err)
	}
	return cipher, nil
}
