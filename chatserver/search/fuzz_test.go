// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// FuzzParseSpot finds that a place in a list is read as what it is written from, or refused as malformed.
func FuzzParseSpot(f *testing.F) {
	f.Add("")
	f.Add(formatSpot(&store.Spot{ID: uuid.Max}))
	f.Add("AAABjMvvYAABkrPEAAB3AIAAAAAAAAAB")
	f.Fuzz(func(t *testing.T, text string) {
		spot, err := parseSpot(text)
		if err != nil {
			if !errors.Is(err, protocol.ErrMalformed) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if text == "" {
			return
		}
		again, err := parseSpot(formatSpot(&spot))
		if err != nil || !again.At.Equal(spot.At) || again.ID != spot.ID {
			t.Fatalf("%q reads as %v, then as %v (%v)", text, spot, again, err)
		}
	})
}
