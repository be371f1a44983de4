// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// postFrames takes what a client says where WebSockets are blocked. It needs no stream, here or elsewhere.
func (s *Server) postFrames(w http.ResponseWriter, r *http.Request) error {
	if s.connections.enter() {
		// The client's next request shall find another replica.
		w.Header().Set("Connection", "close")
	}
	defer s.connections.exit()
	token, err := bearerOf(r)
	if err != nil {
		return err
	}
	p, err := s.identify(r.Context(), token, cookieOf(r))
	if err != nil {
		return err
	}
	frames, err := readFrames(r)
	if err != nil {
		return err
	}
	if err := s.limits.posted.takeAll(p.ID, len(frames)); err != nil {
		return err
	}
	answers, err := s.answerAll(r.Context(), p, frames)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	// The client is gone if this fails, and sends again.
	_, _ = w.Write(protocol.EncodeBatch(answers))
	return nil
}

// bearerOf returns the token of the Authorization header, empty if there is no such header.
func bearerOf(r *http.Request) (redacted.String, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return redacted.String{}, nil
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return redacted.String{}, identity.ErrUnauthenticated
	}
	return redacted.New(token), nil
}

func readFrames(r *http.Request) ([]protocol.Frame, error) {
	data, err := readJSON(r)
	if err != nil {
		return nil, err
	}
	frames, err := protocol.DecodeClientBatch(data)
	switch {
	case errors.Is(err, protocol.ErrFrameTooLarge):
		return nil, &apiError{code: protocol.TooLarge, message: "a frame is too large"}
	case err != nil:
		return nil, violation("the body is not a batch of frames of this protocol")
	}
	for _, frame := range frames {
		if frame.FrameType() == protocol.TypeHello {
			return nil, violation("hello is for a stream")
		}
	}
	return frames, nil
}

// answerAll handles frames in their order and returns the encoded answers, in the same order, once all are there.
func (s *Server) answerAll(ctx context.Context, p identity.Principal, frames []protocol.Frame) ([][]byte, error) {
	waiting := make([]chan protocol.Frame, len(frames))
	for i, frame := range frames {
		waiting[i] = make(chan protocol.Frame, 1)
		s.handle(ctx, p, frame, func(answer protocol.Frame) { waiting[i] <- answer })
	}
	var answers [][]byte
	for _, answer := range waiting {
		select {
		case <-ctx.Done():
			// What was submitted is committed all the same; sent again, it gets its answer.
			return nil, ctx.Err()
		case frame := <-answer:
			if frame == nil {
				continue
			}
			data, err := protocol.Encode(frame)
			if err != nil {
				return nil, err
			}
			answers = append(answers, data)
		}
	}
	return answers, nil
}

// handle takes a frame of p. reply is called exactly once and must not block; nil is the answer of a frame that has
// none.
func (s *Server) handle(ctx context.Context, p identity.Principal, f protocol.Frame, reply func(protocol.Frame)) {
	switch f := f.(type) {
	case *protocol.Typing:
		s.logSignal(s.config.Engine.Typing(ctx, p, f))
		reply(nil)
	case *protocol.Receipt:
		s.logSignal(s.config.Engine.Receipt(ctx, p, f))
		reply(nil)
	case *protocol.Ping:
		heads, err := s.config.Engine.Heads(ctx, p)
		s.logSignal(err)
		reply(&protocol.Heartbeat{Heads: heads})
	case *protocol.Open:
		reply(s.open(ctx, p, f))
	case protocol.Submission:
		s.submit(p, f, reply)
	default:
		reply(nil)
	}
}

// logSignal notes that the database did not answer about what nobody is answered for.
func (s *Server) logSignal(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("Cannot pass on what a client signals", "err", err)
	}
}
