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
	list, ok := r.after(id, after)
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
		r.add(id, seq, fmt.Append(nil, seq))
	}
	r.add(id, 4, []byte("again"))
	tests := map[int64]string{0: "unknown", 1: "unknown", 2: "345", 3: "45", 4: "5", 5: "unknown", 9: "unknown"}
	for after, want := range tests {
		if got := frames(r, id, after); got != want {
			t.Errorf("after %d: %s, want %s", after, got, want)
		}
	}
	// Another replica wrote 6 and 7: what is known before the gap is of no use.
	r.add(id, 8, []byte("8"))
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
		r.add(busy, seq, []byte("0123456789"))
	}
	if list, ok := r.after(busy, recentPerConversation); !ok || len(list) != recentPerConversation {
		t.Errorf("the latest %d are not kept: %d", recentPerConversation, len(list))
	}
	for range 100 {
		r.add(uuid.New(), 1, make([]byte, 100))
	}
	if r.bytes > 1000 || len(r.elements) > 10 || r.order.Len() != len(r.elements) {
		t.Errorf("holds %d bytes of %d conversations", r.bytes, len(r.elements))
	}
	if _, ok := r.after(busy, 127); ok {
		t.Error("the least recently written conversation is still there")
	}
	r.clear()
	if r.bytes != 0 || len(r.elements) != 0 {
		t.Error("clear leaves something")
	}
}

func TestRecentHandsOutCopies(t *testing.T) {
	r, id := newRecent(1000), uuid.New()
	r.add(id, 1, []byte("1"))
	list, _ := r.after(id, 0)
	for seq := int64(2); seq <= recentPerConversation+2; seq++ {
		r.add(id, seq, []byte("x"))
	}
	if len(list) != 1 || string(list[0]) != "1" {
		t.Errorf("a list handed out changed: %q", list)
	}
}
