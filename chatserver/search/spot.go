// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// spotSize is the time in milliseconds and an id.
const spotSize = 8 + 16

func spotOf(hit *store.Hit) *store.Spot {
	if hit.Message != uuid.Nil {
		return &store.Spot{At: hit.At, ID: hit.Message}
	}
	return &store.Spot{At: hit.At, ID: hit.Conversation.ID}
}

// formatSpot writes a place in the list for the client to give back.
func formatSpot(spot *store.Spot) string {
	if spot == nil {
		return ""
	}
	out := binary.BigEndian.AppendUint64(nil, uint64(spot.At.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(out, spot.ID[:]...))
}

// parseSpot reads what formatSpot wrote, or reports ErrMalformed.
func parseSpot(text string) (store.Spot, error) {
	if text == "" {
		return store.Spot{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(data) != spotSize {
		return store.Spot{}, protocol.ErrMalformed
	}
	ms := int64(binary.BigEndian.Uint64(data)) //nolint:gosec // The same bits.
	at := time.UnixMilli(ms).UTC()
	// What PostgreSQL cannot compare is no place either.
	if at.Year() < 1970 || at.Year() > 9999 {
		return store.Spot{}, protocol.ErrMalformed
	}
	return store.Spot{At: at, ID: uuid.UUID(data[8:])}, nil
}
