// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import "github.com/google/uuid"

// FrameType names a frame.
type FrameType string

// Frames from client to server.
const (
	TypeHello  FrameType = "hello"
	TypeOpen   FrameType = "open"
	TypeSend   FrameType = "send"
	TypeEdit   FrameType = "edit"
	TypeDelete FrameType = "delete"
	TypePing   FrameType = "ping"
)

// Frames of either side.
const (
	TypeTyping  FrameType = "typing"
	TypeReceipt FrameType = "receipt"
)

// Frames from server to client.
const (
	TypeWelcome      FrameType = "welcome"
	TypeConversation FrameType = "conversation"
	TypeEvent        FrameType = "event"
	TypeCaughtUp     FrameType = "caught_up"
	TypeReset        FrameType = "reset"
	TypeOpened       FrameType = "opened"
	TypeAck          FrameType = "ack"
	TypePresence     FrameType = "presence"
	TypeHeartbeat    FrameType = "heartbeat"
	TypeDrain        FrameType = "drain"
	TypeError        FrameType = "error"
)

// Header is the part every frame has. Encode fills it.
type Header struct {
	Type FrameType `json:"type"`
}

func (h *Header) stamp(t FrameType) { h.Type = t }

// Frame is a pointer to any frame of this package.
type Frame interface {
	// FrameType names the frame.
	FrameType() FrameType
	stamp(FrameType)
}

// Cursor is the last event a client has of a conversation.
type Cursor struct {
	Epoch int64 `json:"epoch"`
	Seq   int64 `json:"seq"`
}

// Person is who speaks. Visitors have no display name: agents read theirs from the conversation's contact.
type Person struct {
	Kind        Kind      `json:"kind"`
	ID          uuid.UUID `json:"id"`
	DisplayName Text      `json:"displayName"`
}

// Participant is who somebody is, without a name: the one who hears of it knows the name from elsewhere.
type Participant struct {
	Kind Kind      `json:"kind"`
	ID   uuid.UUID `json:"id"`
}

// Contact is what a visitor says about themselves; every field is voluntary.
type Contact struct {
	Name  Text `json:"name,omitzero"`
	Email Text `json:"email,omitzero"`
	Phone Text `json:"phone,omitzero"`
	// ExternalID is what the customer's own systems call the visitor.
	ExternalID Text `json:"externalId,omitzero"`
}
