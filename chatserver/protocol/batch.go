// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
)

// Limits of a request that carries frames.
const (
	// MaxBatch is the most frames it has.
	MaxBatch = 16
	// MaxBatchBody bounds its body in bytes.
	MaxBatchBody = 64 << 10
)

// ErrFrameTooLarge says that one frame of a batch is over MaxFrame.
var ErrFrameTooLarge = errors.New("frame too large")

// batch is the body of a request that carries frames, and of its answer.
type batch struct {
	Frames []stdjson.RawMessage `json:"frames"`
}

// DecodeClientBatch decodes a client's frames strictly, all or none, or reports ErrMalformed or ErrFrameTooLarge. A
// batch has 1 to MaxBatch frames.
func DecodeClientBatch(data []byte) ([]Frame, error) {
	var b batch
	if err := DecodeStrict(data, &b); err != nil {
		return nil, err
	}
	if len(b.Frames) == 0 || len(b.Frames) > MaxBatch {
		return nil, ErrMalformed
	}
	frames := make([]Frame, 0, len(b.Frames))
	for _, raw := range b.Frames {
		if len(raw) > MaxFrame {
			return nil, ErrFrameTooLarge
		}
		frame, err := DecodeClient(raw)
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

// DecodeBatch splits a batch into its encoded frames, or reports ErrMalformed.
func DecodeBatch(data []byte) ([][]byte, error) {
	var b batch
	if err := decodeLenient(data, &b); err != nil {
		return nil, err
	}
	frames := make([][]byte, 0, len(b.Frames))
	for _, raw := range b.Frames {
		frames = append(frames, raw)
	}
	return frames, nil
}

// EncodeBatch joins encoded frames.
func EncodeBatch(frames [][]byte) []byte {
	var b bytes.Buffer
	b.WriteString(`{"frames":[`)
	b.Write(bytes.Join(frames, []byte(",")))
	b.WriteString(`]}`)
	return b.Bytes()
}
