// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"strings"
	"testing"
)

func TestHostnamesAreFoldedOrRefused(t *testing.T) {
	longest := strings.Repeat("a.", 126) + "b"
	tests := map[string]struct {
		want string
		ok   bool
	}{
		"chat.acme.example":  {"chat.acme.example", true},
		"CHAT.Acme.EXAMPLE":  {"chat.acme.example", true},
		"acme.localhost":     {"acme.localhost", true},
		"xn--bcher-kva.test": {"xn--bcher-kva.test", true},
		longest:              {longest, true},
		longest + "x":        {"", false},
		"":                   {"", false},
		"chat.acme.example.": {"", false},
		".":                  {"", false},
		"192.0.2.1":          {"", false},
		"2001:db8::1":        {"", false},
		"fe80::1%eth0":       {"", false},
		"[2001:db8::1]":      {"", false},
		"bücher.test":        {"", false},
		"\u212ait.test":      {"", false},
		"a b.test":           {"", false},
		"a\x00.test":         {"", false},
		"a\x7f.test":         {"", false},
	}
	for name, test := range tests {
		got, ok := hostname(name)
		if got != test.want || ok != test.ok {
			t.Errorf("hostname(%q) = %q, %t; want %q, %t", name, got, ok, test.want, test.ok)
		}
	}
}
