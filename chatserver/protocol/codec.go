// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"sigs.k8s.io/json"
)

// ErrMalformed says that JSON is not what the protocol allows. It never quotes the input.
var ErrMalformed = errors.New("malformed JSON")

// Encode writes a frame.
func Encode(f Frame) ([]byte, error) {
	f.stamp(f.FrameType())
	if a, ok := f.(appender); ok {
		return appendFrame(a, f.FrameType()), nil
	}
	data, err := stdjson.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.FrameType(), err)
	}
	return data, nil
}

// DecodeStrict decodes one JSON object with unique, known, exactly spelt keys into v, or reports ErrMalformed.
func DecodeStrict(data []byte, v any) error {
	if !utf8.Valid(data) || !startsObject(data) {
		return ErrMalformed
	}
	strict, err := json.UnmarshalStrict(data, v)
	if err != nil || len(strict) > 0 {
		return ErrMalformed
	}
	return nil
}

// startsObject refuses null, which decodes into anything.
func startsObject(data []byte) bool {
	for _, c := range data {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '{'
		}
	}
	return false
}

// DecodeClient decodes a client's frame strictly, or reports ErrMalformed.
func DecodeClient(data []byte) (Frame, error) {
	// Most frames are messages: looking at their type first would read each twice.
	if send := new(Send); DecodeStrict(data, send) == nil && send.Type == TypeSend {
		return send, nil
	}
	frame, err := decode(data, clientFrames, DecodeStrict)
	if frame == nil {
		return nil, ErrMalformed
	}
	return frame, err
}

// DecodeServer decodes a server's frame, ignoring unknown fields. An unknown frame is nil without error, so that the
// protocol can grow.
func DecodeServer(data []byte) (Frame, error) {
	return decode(data, serverFrames, decodeLenient)
}

func decodeLenient(data []byte, v any) error {
	if err := stdjson.Unmarshal(data, v); err != nil {
		return ErrMalformed
	}
	return nil
}

func decode(data []byte, known map[FrameType]func() Frame, into func([]byte, any) error) (Frame, error) {
	var header Header
	if err := json.UnmarshalCaseSensitivePreserveInts(data, &header); err != nil {
		return nil, ErrMalformed
	}
	newFrame, ok := known[header.Type]
	if !ok {
		return nil, nil
	}
	frame := newFrame()
	if err := into(data, frame); err != nil {
		return nil, err
	}
	return frame, nil
}

var clientFrames = map[FrameType]func() Frame{
	TypeHello:  func() Frame { return &Hello{} },
	TypeOpen:   func() Frame { return &Open{} },
	TypeSend:   func() Frame { return &Send{} },
	TypeEdit:   func() Frame { return &Edit{} },
	TypeDelete: func() Frame { return &Delete{} },
	TypePing:   func() Frame { return &Ping{} },

	TypeTyping:  func() Frame { return &Typing{} },
	TypeReceipt: func() Frame { return &Receipt{} },
}

var serverFrames = map[FrameType]func() Frame{
	TypeWelcome:      func() Frame { return &Welcome{} },
	TypeConversation: func() Frame { return &Conversation{} },
	TypeEvent:        func() Frame { return &Event{} },
	TypeCaughtUp:     func() Frame { return &CaughtUp{} },
	TypeReset:        func() Frame { return &Reset{} },
	TypeOpened:       func() Frame { return &Opened{} },
	TypeAck:          func() Frame { return &Ack{} },
	TypeHeartbeat:    func() Frame { return &Heartbeat{} },
	TypeDrain:        func() Frame { return &Drain{} },
	TypeError:        func() Frame { return &Error{} },

	TypeTyping:  func() Frame { return &TypingNotice{} },
	TypeReceipt: func() Frame { return &ReceiptNotice{} },

	TypePresence: func() Frame { return &Presence{} },
}
