// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

// writeKey makes a key file of size bytes, all the same.
func writeKey(t *testing.T, content string, size int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, bytes.Repeat([]byte(content), size), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func fromFile(file string, generation int64) kek.Key {
	return kek.FromSecret(serverconfig.SecretKey{File: file, Generation: generation})
}

func TestASecretOpensOnlyWhatItWrappedForTheSamePlace(t *testing.T) {
	one, two := fromFile(writeKey(t, "a", 32), 1), fromFile(writeKey(t, "b", 32), 2)
	ciphertext, err := one.EncryptWithContext(t.Context(), []byte("keyset"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	expectOpens(t, one, ciphertext, "place")
	if _, err := two.DecryptWithContext(t.Context(), ciphertext, []byte("place")); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("another key: %v, want ErrRefused", err)
	}
	if _, err := one.DecryptWithContext(t.Context(), ciphertext, []byte("other")); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("another place: %v, want ErrRefused", err)
	}
}

func TestASecretOfAnyOtherLengthOrNoneIsUnusableAndNotShown(t *testing.T) {
	files := map[string]string{"missing": filepath.Join(t.TempDir(), "key")}
	for _, size := range []int{0, 16, 31, 33, 44} {
		files[strings.Repeat("k", size)] = writeKey(t, "k", size)
	}
	for name, file := range files {
		_, err := fromFile(file, 1).EncryptWithContext(t.Context(), []byte("keyset"), nil)
		if !errors.Is(err, kek.ErrUnusable) || strings.Contains(err.Error(), "kkk") {
			t.Errorf("%q: %v, want ErrUnusable", name, err)
		}
	}
}

func TestASecretIsReadAnewForEachCall(t *testing.T) {
	file := writeKey(t, "a", 32)
	key := fromFile(file, 1)
	ciphertext, err := key.EncryptWithContext(t.Context(), []byte("keyset"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Repeat([]byte("b"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := key.DecryptWithContext(t.Context(), ciphertext, nil); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("after the file was replaced: %v, want ErrRefused", err)
	}
}

func TestARingWrapsWithItsNewestKeyAndFindsTheOthers(t *testing.T) {
	file := writeKey(t, "a", 32)
	ring, err := kek.NewRing(fromFile(file, 1), fromFile(file, 3), fromFile(file, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got := ring.Newest().Generation; got != 3 {
		t.Errorf("newest is generation %d, want 3", got)
	}
	for generation, want := range map[int64]bool{0: false, 1: true, 2: true, 3: true, 4: false} {
		if key, ok := ring.Find(generation); ok != want || ok && key.Generation != generation {
			t.Errorf("Find(%d) = %d, %v", generation, key.Generation, ok)
		}
	}
	if _, err := kek.NewRing(fromFile(file, 1), fromFile(file, 1)); err == nil {
		t.Error("a ring takes two keys of one generation")
	}
	if _, err := kek.NewRing(); err == nil {
		t.Error("a ring takes no key")
	}
}
