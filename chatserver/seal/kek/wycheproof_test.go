// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/seal/vectors"
)

// TestWycheproofAESGCMWithASecret opens every vector with its key in a file. What has another key size, or a nonce of
// another size than every ciphertext here has, must not open whatever the vector says.
func TestWycheproofAESGCMWithASecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	key := fromFile(file, 1)
	seen := map[error]int{}
	for _, group := range vectors.Read(t, vectors.AESGCM) {
		for _, test := range group.Tests {
			if err := os.WriteFile(file, test.Key, 0o600); err != nil {
				t.Fatal(err)
			}
			want := expectation(group, test)
			seen[want]++
			got, err := key.DecryptWithContext(t.Context(), test.Ciphertext(), test.AAD)
			if !errors.Is(err, want) || err == nil && !bytes.Equal(got, test.Message) {
				t.Errorf("%d (%s): %v, want %v", test.ID, test.Comment, err, want)
			}
		}
	}
	if seen[nil] < 39 || seen[seal.ErrRefused] < 27 || seen[kek.ErrUnusable] < 100 {
		t.Errorf("%v vectors: some are missing", seen)
	}
}

// expectation is the error of opening a vector, nil if its message must come out.
func expectation(group vectors.Group, test vectors.Test) error {
	switch {
	case group.KeySize != 256:
		return kek.ErrUnusable
	case group.IVSize == 96 && test.Valid():
		return nil
	default:
		return seal.ErrRefused
	}
}
