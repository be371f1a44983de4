// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import "github.com/google/uuid"

// Typing says that the client's user began or stopped writing in a conversation. It is passed on, never stored.
type Typing struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	Typing       bool      `json:"typing"`
}

// Receipt says how far the client has received a conversation and how far its user has read it. Both only grow.
type Receipt struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	Delivered    int64     `json:"delivered"`
	Read         int64     `json:"read"`
}

// TypingNotice says that somebody else began or stopped writing.
type TypingNotice struct {
	Header
	Conversation uuid.UUID   `json:"conversation"`
	Author       Participant `json:"author"`
	Typing       bool        `json:"typing"`
}

// ReceiptNotice says how far somebody has received and read a conversation.
type ReceiptNotice struct {
	Header
	Conversation uuid.UUID   `json:"conversation"`
	Reader       Participant `json:"reader"`
	Delivered    int64       `json:"delivered"`
	Read         int64       `json:"read"`
}

// Presence says who is there: what is current when a connection begins, then what changes.
type Presence struct {
	Header
	// Available says to a visitor whether any agent is online; nil if that has not changed.
	Available *bool        `json:"available,omitempty"`
	People    []Attendance `json:"people,omitempty"`
}

// MaxPeople bounds the people of one presence frame.
const MaxPeople = 200

// Attendance says whether somebody is online: for a conversation they take part in, or, of agents to agents, at all.
type Attendance struct {
	Conversation *uuid.UUID `json:"conversation,omitempty"`
	Participant
	Online bool `json:"online"`
}

// FrameType implements Frame.
func (*Typing) FrameType() FrameType { return TypeTyping }

// FrameType implements Frame.
func (*Receipt) FrameType() FrameType { return TypeReceipt }

// FrameType implements Frame.
func (*TypingNotice) FrameType() FrameType { return TypeTyping }

// FrameType implements Frame.
func (*ReceiptNotice) FrameType() FrameType { return TypeReceipt }

// FrameType implements Frame.
func (*Presence) FrameType() FrameType { return TypePresence }
