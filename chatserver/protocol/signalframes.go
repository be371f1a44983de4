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

// FrameType implements Frame.
func (*Typing) FrameType() FrameType { return TypeTyping }

// FrameType implements Frame.
func (*Receipt) FrameType() FrameType { return TypeReceipt }

// FrameType implements Frame.
func (*TypingNotice) FrameType() FrameType { return TypeTyping }

// FrameType implements Frame.
func (*ReceiptNotice) FrameType() FrameType { return TypeReceipt }
