// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

const (
	streamPath = "/api/v1/stream"
	framesPath = "/api/v1/frames"
	// welcomeTimeout is how long a stream has to its first frame.
	welcomeTimeout = 15 * time.Second
	// batchOverhead is more than what a batch has around its frames.
	batchOverhead = 1 << 10
)

var (
	errSilent   = errors.New("the server is silent")
	errHungUp   = errors.New("the connection was closed")
	errNoStream = errors.New("the answer is no event stream")
)

// stream is what the server says in an answer that does not end, and what the client says in requests beside it.
type stream struct {
	session *Session
	// ctx ends with the stream; its cause says why.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// frames are those of the stream and those that answer requests.
	frames  chan []byte
	silence clock.Timer

	mu      sync.Mutex
	waiting [][]byte
	wake    chan struct{}
}

func (s *Session) dialStream(ctx context.Context, hello []byte) (wire, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &stream{
		session: s, ctx: ctx, cancel: cancel, frames: make(chan []byte), wake: make(chan struct{}, 1),
		silence: s.client.config.Clock.AfterFunc(welcomeTimeout, func() { cancel(errSilent) }),
	}
	body, err := w.open(hello)
	if err != nil {
		w.close()
		return nil, err
	}
	go w.listen(body)
	go w.post()
	return w, nil
}

func (w *stream) open(hello []byte) (io.ReadCloser, error) {
	c := w.session.client
	r, err := c.newRequest(w.ctx, http.MethodPost, streamPath, bytes.NewReader(hello), w.session.who)
	if err != nil {
		return nil, err
	}
	response, err := c.streams.Do(r)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if response.StatusCode == http.StatusOK && response.Header.Get("Content-Type") == "text/event-stream" {
		return response.Body, nil
	}
	defer func() { _ = response.Body.Close() }()
	if err := decodeAnswer(response, nil); err != nil {
		return nil, err
	}
	return nil, errNoStream
}

// read implements wire.
func (w *stream) read() ([]byte, error) {
	select {
	case data := <-w.frames:
		return data, nil
	case <-w.ctx.Done():
		return nil, context.Cause(w.ctx)
	}
}

// write implements wire.
func (w *stream) write(data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, data)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close implements wire.
func (w *stream) close() {
	w.silence.Stop()
	w.cancel(errHungUp)
}

// hear hands a frame to read, unless the stream has ended.
func (w *stream) hear(data []byte) {
	select {
	case w.frames <- data:
	case <-w.ctx.Done():
	}
}

// listen takes the stream apart. The server writes each frame as one line.
func (w *stream) listen(body io.ReadCloser) {
	defer func() { _ = body.Close() }()
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			w.cancel(fmt.Errorf("read: %w", err))
			return
		}
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			w.silence.Reset(protocol.SilenceTimeout)
			w.hear(bytes.TrimSpace(data))
		}
	}
}

// post sends what waits, one request at a time, so that nothing overtakes anything.
func (w *stream) post() {
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-w.wake:
		}
		for batch := w.take(); len(batch) > 0; batch = w.take() {
			if err := w.postBatch(batch); err != nil {
				w.cancel(err)
				return
			}
		}
	}
}

// take returns what fits one request.
func (w *stream) take() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, batchOverhead
	for n < len(w.waiting) && n < protocol.MaxBatch && size+len(w.waiting[n]) <= protocol.MaxBatchBody {
		size += len(w.waiting[n])
		n++
	}
	batch := w.waiting[:n:n]
	w.waiting = w.waiting[n:]
	return batch
}

func (w *stream) postBatch(batch [][]byte) error {
	answers, err := w.ask(batch)
	var refusal *Error
	if errors.As(err, &refusal) {
		answers, err = refused(batch, refusal), nil
	}
	for _, data := range answers {
		w.hear(data)
	}
	return err
}

// ask posts a batch and returns the frames that answer it.
func (w *stream) ask(batch [][]byte) ([][]byte, error) {
	c, who := w.session.client, w.session.who
	r, err := c.newRequest(w.ctx, http.MethodPost, framesPath, bytes.NewReader(protocol.EncodeBatch(batch)), who)
	if err != nil {
		return nil, err
	}
	if !who.token.IsEmpty() {
		r.Header.Set("Authorization", "Bearer "+who.token.Reveal())
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var data json.RawMessage
	if err := decodeAnswer(response, &data); err != nil {
		return nil, err
	}
	return protocol.DecodeBatch(data)
}

// refused makes the error frames that a socket would have: one for each frame if it may yet succeed, else one about the
// connection.
func refused(batch [][]byte, refusal *Error) [][]byte {
	frame := &protocol.Error{
		Code: refusal.Code, Message: refusal.Message, RetryAfterMs: refusal.RetryAfter.Milliseconds(),
	}
	var ids []*uuid.UUID
	if refusal.retryable() {
		ids = clientIDs(batch)
	} else {
		ids = []*uuid.UUID{nil}
	}
	var out [][]byte
	for _, id := range ids {
		frame.ClientID = id
		// Codes, texts and ids always encode.
		if data, err := protocol.Encode(frame); err == nil {
			out = append(out, data)
		}
	}
	return out
}

// clientIDs are those of the frames that have one.
func clientIDs(batch [][]byte) []*uuid.UUID {
	var ids []*uuid.UUID
	for _, data := range batch {
		var named struct {
			ClientID *uuid.UUID `json:"clientId"`
		}
		if json.Unmarshal(data, &named) == nil && named.ClientID != nil {
			ids = append(ids, named.ClientID)
		}
	}
	return ids
}
