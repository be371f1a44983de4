// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
)

func frames(r *recent, id uuid.UUID, after int64) string {
	out := ""
	list, ok := r.after(id, after, after+1)
	if !ok {
		return "unknown"
	}
	for _, frame := range list {
		out += string(frame)
	}
	return out
}

func TestRecentKeepsOnlyAnUnbrokenRun(t *testing.T) {
	r, id := newRecent(1000), uuid.New()
	for _, seq := range []int64{3, 4, 5} {
		r.add(id, seq, fmt.Append(nil, seq), false)
	}
	r.add(id, 4, []byte("again"), false)
	tests := map[int64]string{0: "unknown", 1: "unknown", 2: "345", 3: "45", 4: "5", 5: "unknown", 9: "unknown"}
	for after, want := range tests {
		if got := frames(r, id, after); got != want {
			t.Errorf("after %d: %s, want %s", after, got, want)
		}
	}
	// Another replica wrote 6 and 7: what is known before the gap is of no use.
	r.add(id, 8, []byte("8"), false)
	for after, want := range map[int64]string{2: "unknown", 5: "unknown", 7: "8"} {
		if got := frames(r, id, after); got != want {
			t.Errorf("after the gap, after %d: %s, want %s", after, got, want)
		}
	}
	if r.bytes != 1 || r.last(id) != 8 {
		t.Errorf("holds %d bytes up to %d", r.bytes, r.last(id))
	}
}

func TestRecentStaysWithinItsBounds(t *testing.T) {
	r := newRecent(1000)
	busy := uuid.New()
	for seq := int64(1); seq <= 2*recentPerConversation; seq++ {
		r.add(busy, seq, []byte("0123456789"), false)
	}
	const last = 2 * recentPerConversation
	if list, ok := r.after(busy, recentPerConversation, last); !ok || len(list) != recentPerConversation {
		t.Errorf("the latest %d are not kept: %d", recentPerConversation, len(list))
	}
	for range 100 {
		r.add(uuid.New(), 1, make([]byte, 100), false)
	}
	if r.bytes > 1000 || len(r.elements) > 10 || r.order.Len() != len(r.elements) {
		t.Errorf("holds %d bytes of %d conversations", r.bytes, len(r.elements))
	}
	if _, ok := r.after(busy, 127, 128); ok {
		t.Error("the least recently written conversation is still there")
	}
}

func TestRecentHandsOutCopies(t *testing.T) {
	r, id := newRecent(1000), uuid.New()
	r.add(id, 1, []byte("1"), false)
	list, _ := r.after(id, 0, 1)
	for seq := int64(2); seq <= recentPerConversation+2; seq++ {
		r.add(id, seq, []byte("x"), false)
	}
	if len(list) != 1 || string(list[0]) != "1" {
		t.Errorf("a list handed out changed: %q", list)
	}
}

func TestRecentKeepsNothingOfBeforeADeletion(t *testing.T) {
	r, id := newRecent(1000), uuid.New()
	r.add(id, 1, []byte("1"), false)
	r.add(id, 2, []byte("2"), false)
	r.add(id, 3, []byte("3"), true)
	// As it was read before the deletion.
	r.add(id, 2, []byte("2"), false)
	r.add(id, 4, []byte("4"), false)
	for after, want := range map[int64]string{0: "unknown", 1: "unknown", 2: "34", 3: "4"} {
		if got := frames(r, id, after); got != want {
			t.Errorf("after %d: %s, want %s", after, got, want)
		}
	}
	if r.bytes != 2 {
		t.Errorf("holds %d bytes", r.bytes)
	}
}

func TestRecentIsOfNoUseToWhoKnowsOfMore(t *testing.T) {
	r, id := newRecent(1000), uuid.New()
	r.add(id, 1, []byte("1"), false)
	if _, ok := r.after(id, 0, 1); !ok {
		t.Error("it does not serve who knows of no more than it has")
	}
	if list, ok := r.after(id, 0, 2); ok {
		t.Errorf("it serves %q without what follows", list)
	}
}
