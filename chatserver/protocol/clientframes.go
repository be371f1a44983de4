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

// Edit gives a message of one's own another text.
type Edit struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	ClientID     uuid.UUID `json:"clientId"`
	// Target is the message's event id.
	Target uuid.UUID `json:"target"`
	Body   Text      `json:"body"`
}

// Delete takes a message of one's own away, with its edits.
type Delete struct {
	Header
	Conversation uuid.UUID `json:"conversation"`
	ClientID     uuid.UUID `json:"clientId"`
	// Target is the message's event id.
	Target uuid.UUID `json:"target"`
}

// Entry is what a frame adds to a conversation: the part of an event that its author decides.
type Entry struct {
	Kind                   EventKind
	Conversation, ClientID uuid.UUID
	// Target is the message that an edit or a deletion is about.
	Target uuid.UUID
	Body   Text
}

// Submission is a frame that adds an event to a conversation and is answered by an ack.
type Submission interface {
	Frame
	Entry() Entry
	// Validate reports the first field that breaks the protocol's rules.
	Validate() error
}

// Entry implements Submission.
func (s *Send) Entry() Entry {
	return Entry{Kind: KindMessage, Conversation: s.Conversation, ClientID: s.ClientID, Body: s.Body}
}

// Entry implements Submission.
func (e *Edit) Entry() Entry {
	return Entry{Kind: KindEdit, Conversation: e.Conversation, ClientID: e.ClientID, Target: e.Target, Body: e.Body}
}

// Entry implements Submission.
func (d *Delete) Entry() Entry {
	return Entry{Kind: KindDeletion, Conversation: d.Conversation, ClientID: d.ClientID, Target: d.Target}
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
func (*Edit) FrameType() FrameType { return TypeEdit }

// FrameType implements Frame.
func (*Delete) FrameType() FrameType { return TypeDelete }

// FrameType implements Frame.
func (*Ping) FrameType() FrameType { return TypePing }
