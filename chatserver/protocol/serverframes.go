// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import "github.com/google/uuid"

// EventKind says what an event does to a conversation.
type EventKind string

// Kinds of event.
const (
	// KindMessage adds a message.
	KindMessage EventKind = "message"
	// KindEdit gives a message another text.
	KindEdit EventKind = "edit"
	// KindDeletion takes a message away, with its edits.
	KindDeletion EventKind = "deletion"
)

// Welcome answers hello.
type Welcome struct {
	Header
	Protocol         int    `json:"protocol"`
	Self             Person `json:"self"`
	Epoch            int64  `json:"epoch"`
	HeartbeatSeconds int    `json:"heartbeatSeconds"`
}

// Conversation announces a conversation the client may read. Contact is for agents only.
type Conversation struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	OpenedAt     Time      `json:"openedAt"`
	Head         int64     `json:"head"`
	Contact      *Contact  `json:"contact,omitempty"`
}

// Event is the next entry of a conversation.
type Event struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	Epoch        int64     `json:"epoch"`
	Seq          int64     `json:"seq"`
	ID           uuid.UUID `json:"id"`
	Kind         EventKind `json:"kind"`
	Author       Person    `json:"author"`
	ClientID     uuid.UUID `json:"clientId"`
	// Target is the message that an edit or a deletion is about.
	Target *uuid.UUID `json:"target,omitempty"`
	Body   Text       `json:"body"`
	// Erased says that the text was taken away by a deletion that follows.
	Erased bool `json:"erased,omitempty"`
	At     Time `json:"at"`
}

// CaughtUp says that everything up to Seq has been sent.
type CaughtUp struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	Epoch        int64     `json:"epoch"`
	Seq          int64     `json:"seq"`
}

// Reset tells the client to forget a conversation; its events follow from 1.
type Reset struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	Epoch        int64     `json:"epoch"`
}

// Opened answers open.
type Opened struct {
	Header
	ClientID     uuid.UUID `json:"clientId"`
	Conversation uuid.UUID `json:"conversation"`
	OpenedAt     Time      `json:"openedAt"`
}

// Ack says that a message is committed.
type Ack struct {
	Header
	ClientID     uuid.UUID `json:"clientId"`
	Conversation uuid.UUID `json:"conversation"`
	Epoch        int64     `json:"epoch"`
	Seq          int64     `json:"seq"`
	ID           uuid.UUID `json:"id"`
	At           Time      `json:"at"`
}

// Heartbeat carries the heads of the conversations that changed since the last one.
type Heartbeat struct {
	Header
	Heads map[uuid.UUID]int64 `json:"heads"`
}

// Drain says that this replica goes away.
type Drain struct {
	Header
	ReconnectAfterMs int64 `json:"reconnectAfterMs"`
}

// Error says what went wrong; ClientID is set if it answers a frame that had one.
type Error struct {
	Header
	Code         Code       `json:"code"`
	Message      string     `json:"message"`
	ClientID     *uuid.UUID `json:"clientId,omitempty"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
}

// FrameType implements Frame.
func (*Welcome) FrameType() FrameType { return TypeWelcome }

// FrameType implements Frame.
func (*Conversation) FrameType() FrameType { return TypeConversation }

// FrameType implements Frame.
func (*Event) FrameType() FrameType { return TypeEvent }

// FrameType implements Frame.
func (*CaughtUp) FrameType() FrameType { return TypeCaughtUp }

// FrameType implements Frame.
func (*Reset) FrameType() FrameType { return TypeReset }

// FrameType implements Frame.
func (*Opened) FrameType() FrameType { return TypeOpened }

// FrameType implements Frame.
func (*Ack) FrameType() FrameType { return TypeAck }

// FrameType implements Frame.
func (*Heartbeat) FrameType() FrameType { return TypeHeartbeat }

// FrameType implements Frame.
func (*Drain) FrameType() FrameType { return TypeDrain }

// FrameType implements Frame.
func (*Error) FrameType() FrameType { return TypeError }
