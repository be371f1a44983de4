// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// FuzzOpen finds that nothing opens but what was sealed, and that everything else is refused, not stumbled over: rows
// are as the database gives them, and a backup may come from anywhere.
func FuzzOpen(f *testing.F) {
	tenant, _ := newTenant(f, newKEK(f), "acme")
	place := seal.Place{Table: "event", Column: "body"}
	sealed, err := tenant.Seal(place, redacted.New("hello"))
	if err != nil {
		f.Fatal(err)
	}
	subject := uuid.New()
	wrapped, err := tenant.NewSubject(subject)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, {1}, sealed[:5], sealed[:len(sealed)-1], sealed, wrapped, wrapped[1:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		seal.KeyID(data)
		if text, err := tenant.Open(place, data); err == nil {
			if text.Reveal() != "hello" {
				t.Fatal("something opens that was never sealed")
			}
		} else if !errors.Is(err, seal.ErrRefused) {
			t.Fatalf("open: %v", err)
		}
		if _, err := tenant.OpenSubject(subject, data); err != nil && !errors.Is(err, seal.ErrRefused) {
			t.Fatalf("open subject: %v", err)
		}
	})
}
