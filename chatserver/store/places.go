// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/seal"
)

func agentPlace(column string, agent uuid.UUID) seal.Place {
	return seal.Place{Table: "agent", Column: column, Row: [][]byte{agent[:]}}
}

func contactPlace(column string, conversation uuid.UUID) seal.Place {
	return seal.Place{Table: "conversation", Column: column, Row: [][]byte{conversation[:]}}
}

// bodyPlace binds a body to everything that gives it its meaning: where it stands, who said it and under which id.
func bodyPlace(e *Event) seal.Place {
	seq := strconv.AppendInt(nil, e.Seq, 10)
	row := [][]byte{e.Conversation[:], seq, e.ID[:], []byte(e.Author.Kind), e.Author.ID[:]}
	if e.Target != uuid.Nil {
		row = append(row, []byte(e.Kind), e.Target[:])
	}
	return seal.Place{Table: "event", Column: "body", Row: row}
}
