// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"errors"
	"testing"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, seed := range []string{
		`{"type":"hello","protocol":1,"token":"abc","cursors":{"0192b3c4-0000-7000-8000-000000000001":{"epoch":1,"seq":2}}}`,
		`{"type":"open","clientId":"0192b3c4-0000-7000-8000-000000000001","contact":{"name":"Ada","email":"a@b"}}`,
		`{"type":"send","conversation":"0192b3c4-0000-7000-8000-000000000001","clientId":"x","body":"hi"}`,
		`{"type":"edit","conversation":"0192b3c4-0000-7000-8000-000000000001","clientId":"x","target":"y","body":"hi"}`,
		`{"type":"delete","target":"0192b3c4-0000-7000-8000-000000000001"}`,
		`{"type":"typing","conversation":"0192b3c4-0000-7000-8000-000000000001","typing":true}`,
		`{"type":"receipt","conversation":"0192b3c4-0000-7000-8000-000000000001","delivered":9,"read":-1}`,
		`{"type":"presence","available":true,"people":[{"kind":"agent","id":"0192b3c4-0000-7000-8000-000000000001"}]}`,
		`{"type":"ping"}`, `{"type":"error","code":"internal","message":"x","retryAfterMs":1}`, `{"type":1}`, `[[[[`,
		`{"type":"heartbeat","heads":{"0192b3c4-0000-7000-8000-000000000001":9007199254740993}}`, "\x00", `{"type":"ping"}{}`,
	} {
		f.Add([]byte(seed))
	}
}

// FuzzDecodeClient holds the server's parser to two rules: it never panics, and what it takes it can say again.
func FuzzDecodeClient(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := protocol.DecodeClient(data)
		if err != nil {
			if !errors.Is(err, protocol.ErrMalformed) || frame != nil {
				t.Fatalf("frame %v with error %v", frame, err)
			}
			return
		}
		encoded, err := protocol.Encode(frame)
		if err != nil {
			t.Fatalf("a frame that was decoded does not encode: %v", err)
		}
		again, err := protocol.DecodeClient(encoded)
		if err != nil || again.FrameType() != frame.FrameType() {
			t.Fatalf("%s does not decode: %v", encoded, err)
		}
		validate(frame)
	})
}

// FuzzDecodeClientBatch holds a batch to the rules of its frames: all are good, or it is none.
func FuzzDecodeClientBatch(f *testing.F) {
	for _, seed := range []string{
		`{"frames":[{"type":"ping"}]}`, `{"frames":[{"type":"ping"},{"type":"welcome"}]}`, `{"frames":[]}`, `{"frames":null}`,
		`{"frames":[null]}`, `{"frames":[{"type":"ping"}],"frames":[]}`, `{"frames":{"0":{"type":"ping"}}}`, `{}`, `[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, err := protocol.DecodeClientBatch(data)
		if err != nil {
			known := errors.Is(err, protocol.ErrMalformed) || errors.Is(err, protocol.ErrFrameTooLarge)
			if !known || frames != nil {
				t.Fatalf("frames %v with error %v", frames, err)
			}
			return
		}
		if len(frames) == 0 || len(frames) > protocol.MaxBatch {
			t.Fatalf("a batch of %d", len(frames))
		}
		// Escapes may make a frame longer than it was.
		again, err := protocol.DecodeClientBatch(protocol.EncodeBatch(encodeAll(t, frames)))
		if err != nil && !errors.Is(err, protocol.ErrFrameTooLarge) || err == nil && len(again) != len(frames) {
			t.Fatalf("a batch does not come back: %v", err)
		}
	})
}

func encodeAll(t *testing.T, frames []protocol.Frame) [][]byte {
	t.Helper()
	encoded := make([][]byte, 0, len(frames))
	for _, frame := range frames {
		one, err := protocol.Encode(frame)
		if err != nil {
			t.Fatalf("a frame that was decoded does not encode: %v", err)
		}
		encoded = append(encoded, one)
	}
	return encoded
}

func validate(frame protocol.Frame) {
	switch f := frame.(type) {
	case protocol.Submission:
		_ = f.Validate()
	case *protocol.Open:
		_ = f.Validate()
	}
}

// FuzzDecodeServer holds the client's parser to the same.
func FuzzDecodeServer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := protocol.DecodeServer(data)
		if err != nil && !errors.Is(err, protocol.ErrMalformed) {
			t.Fatalf("error %v", err)
		}
		if frame == nil {
			return
		}
		if _, err := protocol.Encode(frame); err != nil {
			t.Fatalf("a frame that was decoded does not encode: %v", err)
		}
	})
}

// FuzzDecodeStrict looks for bodies that say something in a way the rules forbid.
func FuzzDecodeStrict(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"email":"a","password":"b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var body protocol.SignInRequest
		if err := protocol.DecodeStrict(data, &body); err != nil && !errors.Is(err, protocol.ErrMalformed) {
			t.Fatalf("error %v", err)
		}
	})
}
