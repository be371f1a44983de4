// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

func newKEK(tb testing.TB) seal.KEK {
	tb.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "kek")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		tb.Fatal(err)
	}
	return kek.FromSecret(serverconfig.SecretKey{File: file, Generation: 1})
}

func newTenant(tb testing.TB, kek seal.KEK, name string) (*seal.Tenant, seal.Wrapped) {
	tb.Helper()
	wrapped, err := seal.NewTenant(tb.Context(), kek, name)
	if err != nil {
		tb.Fatal(err)
	}
	tenant, err := seal.OpenTenant(tb.Context(), kek, name, wrapped)
	if err != nil {
		tb.Fatal(err)
	}
	return tenant, wrapped
}

func newSubject(t *testing.T, tenant *seal.Tenant) *seal.Key {
	t.Helper()
	id := uuid.New()
	wrapped, err := tenant.NewSubject(id)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tenant.OpenSubject(id, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestASealedValueOpensOnlyInItsPlace(t *testing.T) {
	tenant, _ := newTenant(t, newKEK(t), "acme")
	place := seal.Place{Table: "event", Column: "body", Row: [][]byte{[]byte("1"), []byte("2")}}
	ciphertext, err := tenant.Seal(place, redacted.New("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(ciphertext, []byte("hello")) {
		t.Error("ciphertext shows the value")
	}
	if got, err := tenant.Open(place, ciphertext); err != nil || got.Reveal() != "hello" {
		t.Errorf("Open in its place: %v", err)
	}
	others := map[string]seal.Place{
		"table":             {Table: "conversation", Column: "body", Row: place.Row},
		"column":            {Table: "event", Column: "client_id", Row: place.Row},
		"row":               {Table: "event", Column: "body", Row: [][]byte{[]byte("1"), []byte("3")}},
		"shifted row parts": {Table: "event", Column: "body", Row: [][]byte{[]byte("12")}},
		"shifted names":     {Table: "eventb", Column: "ody", Row: place.Row},
		"no row":            {Table: "event", Column: "body"},
	}
	for name, other := range others {
		if _, err := tenant.Open(other, ciphertext); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("Open with another %s: %v, want ErrRefused", name, err)
		}
	}
}

func TestKeysOfAnotherTenantSubjectOrKEKAreRefused(t *testing.T) {
	kek := newKEK(t)
	acme, wrapped := newTenant(t, kek, "acme")
	other, _ := newTenant(t, kek, "globex")
	place := seal.Place{Table: "event", Column: "body"}
	one, two := newSubject(t, acme), newSubject(t, acme)
	ciphertext, err := one.Seal(place, redacted.New("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*seal.Key{"subject": two, "tenant key": &acme.Key, "tenant": &other.Key} {
		if _, err := key.Open(place, ciphertext); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("another %s opens it: %v", name, err)
		}
	}
	if _, err := seal.OpenTenant(t.Context(), newKEK(t), "acme", wrapped); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("another KEK opens the keyset: %v", err)
	}
	if _, err := seal.OpenTenant(t.Context(), kek, "globex", wrapped); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("another tenant opens the keyset: %v", err)
	}
	swapped := seal.Wrapped{Sealing: wrapped.Index, Index: wrapped.Sealing}
	if _, err := seal.OpenTenant(t.Context(), kek, "acme", swapped); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("swapped keysets open: %v", err)
	}
}

func TestASubjectKeysetMovedToAnotherSubjectIsRefused(t *testing.T) {
	tenant, _ := newTenant(t, newKEK(t), "acme")
	wrapped, err := tenant.NewSubject(uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.OpenSubject(uuid.New(), wrapped); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("OpenSubject = %v, want ErrRefused", err)
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	tenant, _ := newTenant(t, newKEK(t), "acme")
	key := newSubject(t, tenant)
	place := seal.Place{Table: "event", Column: "body"}
	ciphertext, err := key.Seal(place, redacted.New("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range ciphertext {
		changed := bytes.Clone(ciphertext)
		changed[i] ^= 1
		if _, err := key.Open(place, changed); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("byte %d changed: %v, want ErrRefused", i, err)
		}
	}
}

func TestBlindIndexesAreEqualOnlyForEqualValuesOfOneColumn(t *testing.T) {
	kek := newKEK(t)
	tenant, _ := newTenant(t, kek, "acme")
	other, _ := newTenant(t, kek, "acme")
	index := func(tenant *seal.Tenant, column, value string) string {
		out, err := tenant.BlindIndex("agent", column, redacted.New(value))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	want := index(tenant, "email", "ada@example.org")
	if index(tenant, "email", "ada@example.org") != want {
		t.Error("equal values have different indexes")
	}
	for name, got := range map[string]string{
		"value":  index(tenant, "email", "bob@example.org"),
		"column": index(tenant, "name", "ada@example.org"),
		"keyset": index(other, "email", "ada@example.org"),
	} {
		if got == want {
			t.Errorf("another %s has the same index", name)
		}
	}
}
