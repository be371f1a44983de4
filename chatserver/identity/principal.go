// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Principal is someone who has proved who they are.
type Principal struct {
	Kind        protocol.Kind
	ID          uuid.UUID
	DisplayName redacted.String
	// Session is the agent's session, which can be ended; zero for visitors.
	Session uuid.UUID
	// ExpiresAt is when the proof ends.
	ExpiresAt time.Time
}

// Action is something a principal may want to do.
type Action int

// Actions on conversations.
const (
	// OpenConversation starts one as the visitor it belongs to.
	OpenConversation Action = iota
	// ReadConversation sees its events.
	ReadConversation
	// WriteConversation adds a message.
	WriteConversation
	// ReadContact sees what the visitor said about themselves.
	ReadContact
	// SearchConversations asks in which conversations, of any visitor, something was said. Of what is found only what
	// may be read is shown.
	SearchConversations
)

// May decides, for HTTP and WebSocket alike, whether p may do action on a conversation of visitor.
func (p Principal) May(action Action, visitor uuid.UUID) bool {
	switch p.Kind {
	case protocol.Visitor:
		return action != ReadContact && action != SearchConversations && p.ID == visitor
	case protocol.Agent:
		return action != OpenConversation
	default:
		return false
	}
}
