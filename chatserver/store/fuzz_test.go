// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// FuzzNotifications finds that what another replica says is read as what it is written from, or not at all: whoever may
// use the database can say anything on its channels.
func FuzzNotifications(f *testing.F) {
	s := Store{replica: uuid.MustParse("0192b3c4-0000-7000-8000-000000000001")}
	f.Add("")
	f.Add(s.payload())
	f.Add(s.payload(s.replica, uuid.Max))
	f.Add(s.typingPayload([]Typing{{Participation: Participation{Kind: "agent"}, Typing: true}}))
	f.Add(s.payload() + " x")
	f.Fuzz(func(t *testing.T, payload string) {
		sender, ids := parsePayload(payload)
		from, again := parsePayload((&Store{replica: sender}).payload(ids...))
		if from != sender || !slices.Equal(again, ids) {
			t.Fatalf("%q reads as %v, then as %v", payload, ids, again)
		}
		checkTyping(t, payload)
	})
}

func checkTyping(t *testing.T, payload string) {
	t.Helper()
	sender, typing := parseTyping(payload)
	for _, who := range typing {
		if who.Kind != protocol.Visitor && who.Kind != protocol.Agent {
			t.Fatalf("%q lets a %q write", payload, who.Kind)
		}
	}
	from, again := parseTyping((&Store{replica: sender}).typingPayload(typing))
	if from != sender || !slices.Equal(again, typing) {
		t.Fatalf("%q reads as %v, then as %v", payload, typing, again)
	}
}
