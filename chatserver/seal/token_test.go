// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
)

func TestTokensAreEqualOnlyForEqualWordsOfOneColumnAndPeriod(t *testing.T) {
	kek := newKEK(t)
	tenant, _ := newTenant(t, kek, "acme")
	other, _ := newTenant(t, kek, "acme")
	tokens := func(tenant *seal.Tenant, column string, period int32, words ...string) []seal.Token {
		var list []redacted.String
		for _, word := range words {
			list = append(list, redacted.New(word))
		}
		out, err := tenant.Tokens(tenant.KeyIDs(seal.Index).Primary, "search_message", column, period, list)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := tokens(tenant, "tokens", 7, "needle", "hay")
	if got := tokens(tenant, "tokens", 7, "needle", "hay", "needle"); !slices.Equal(got, append(want, want[0])) {
		t.Errorf("equal words have the tokens %v and %v", want, got)
	}
	for name, got := range map[string][]seal.Token{
		"word":            tokens(tenant, "tokens", 7, "needles"),
		"column":          tokens(tenant, "titles", 7, "needle"),
		"period":          tokens(tenant, "tokens", 8, "needle"),
		"negative period": tokens(tenant, "tokens", -7, "needle"),
		"keyset":          tokens(other, "tokens", 7, "needle"),
	} {
		if got[0] == want[0] {
			t.Errorf("another %s has the same token", name)
		}
	}
	if _, err := tenant.Tokens(other.KeyIDs(seal.Index).All()[0], "search_message", "tokens", 7, nil); err == nil {
		t.Error("a key of another keyset makes tokens")
	}
}

func TestWhatIsLookedUpIsWhatWasStored(t *testing.T) {
	tenant, _ := newTenant(t, newKEK(t), "acme")
	value := redacted.New("ada@example.org")
	stored, err := tenant.BlindIndex("conversation", "contact_email", value)
	if err != nil {
		t.Fatal(err)
	}
	looked, err := tenant.BlindIndexes("conversation", "contact_email", value)
	if err != nil || len(looked) != 1 || !bytes.Equal(looked[0], stored) {
		t.Errorf("%d indexes are looked up, %v", len(looked), err)
	}
}
