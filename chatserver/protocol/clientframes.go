// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import "github.com/google/uuid"

// Hello is the first frame of a socket.
type Hello struct {
	Header
	Protocol int                  `json:"protocol"`
	Token    Text                 `json:"token,omitzero"`
	Cursors  map[uuid.UUID]Cursor `json:"cursors,omitempty"`
}

// Open asks for a conversation.
type Open struct {
	Header
	ClientID uuid.UUID `json:"clientId"`
	Contact  *Contact  `json:"contact,omitempty"`
}

// Send adds a message to a conversation.
type Send struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	ClientID     uuid.UUID `json:"clientId"`
	Body         Text      `json:"body"`
}

// Ping asks for a heartbeat.
type Ping struct {
	Header
}

// FrameType implements Frame.
func (*Hello) FrameType() FrameType { return TypeHello }

// FrameType implements Frame.
func (*Open) FrameType() FrameType { return TypeOpen }

// FrameType implements Frame.
func (*Send) FrameType() FrameType { return TypeSend }

// FrameType implements Frame.
func (*Ping) FrameType() FrameType { return TypePing }
