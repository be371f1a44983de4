// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// kekSize is the size of a key-encryption key in bytes: AES-256.
const kekSize = 32

// ReadKEK reads a key-encryption key from a file of exactly 32 raw bytes.
func ReadKEK(path string) (tink.AEAD, error) {
	key, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("read key-encryption key: %w", err)
	}
	defer clear(key)
	if len(key) != kekSize {
		return nil, fmt.Errorf("key-encryption key %s: want %d raw bytes, got %d", path, kekSize, len(key))
	}
	kek, err := subtle.NewAESGCM(key)
	if err != nil {
		return nil, fmt.Errorf("use key-encryption key %s: %w", path, err)
	}
	return kek, nil
}
