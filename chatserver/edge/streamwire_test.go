// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
)

// streamWire is a bare client of the event stream. Frames are posted one by one.
type streamWire struct {
	t         *testing.T
	transport *http.Transport
	header    http.Header
	token     string
	opened    bool
	// answers has what requests were answered with. What the stream says waits in the network until it is read.
	answers, heard chan heard
	// begun is the head of the stream; hangUp leaves it.
	begun  *http.Response
	hangUp func()
}

type heard struct {
	frame protocol.Frame
	err   error
}

// refusal is an answer with an error instead of frames.
type refusal struct {
	code   protocol.Code
	status string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s %s", r.status, r.code) }

// plenty is more than any test leaves unread.
const plenty = 10_000

func openStream(t *testing.T, r *servertest.Replica, dial client.DialFunc, header http.Header) peer {
	t.Helper()
	w := &streamWire{
		t: t, answers: make(chan heard, plenty), heard: make(chan heard),
		transport: &http.Transport{TLSClientConfig: r.TLS(), DialContext: dial},
		header:    http.Header{"Origin": {servertest.Endpoint}, "Content-Type": {"application/json"}},
	}
	for name, values := range header {
		w.header[name] = values
		if len(values) == 0 {
			delete(w.header, name)
		}
	}
	t.Cleanup(w.transport.CloseIdleConnections)
	return w
}

func (w *streamWire) test() *testing.T { return w.t }

// say opens the stream with its first frame and posts the others.
func (w *streamWire) say(text string) {
	w.t.Helper()
	if !w.opened {
		w.opened = true
		w.open(text)
		return
	}
	w.post(`{"frames":[` + text + `]}`)
}

func (w *streamWire) open(hello string) {
	w.t.Helper()
	var frame struct{ Token string }
	_ = json.Unmarshal([]byte(hello), &frame)
	w.token = frame.Token
	ctx, cancel := context.WithCancel(context.Background())
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.follow(ctx, hello, sync.OnceFunc(func() { close(begun) }))
	}()
	w.hangUp = func() { cancel(); <-done }
	w.t.Cleanup(w.hangUp)
	<-begun
}

// follow reads a stream from its head, at which it calls begun, to its end.
func (w *streamWire) follow(ctx context.Context, hello string, begun func()) {
	w.t.Helper()
	defer begun()
	response := w.do(ctx, "/api/v1/stream", hello)
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		w.refused(response)
		return
	}
	w.begun = response
	begun()
	w.listen(ctx, response.Body)
}

func (w *streamWire) do(ctx context.Context, path, body string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, servertest.Endpoint+path, bytes.NewBufferString(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = w.header.Clone()
	if w.token != "" && path == "/api/v1/frames" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	response, err := w.transport.RoundTrip(r)
	if err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
	return response
}

// refused notes an error that came instead of frames.
func (w *streamWire) refused(response *http.Response) {
	w.t.Helper()
	defer func() { _ = response.Body.Close() }()
	var body protocol.ErrorBody
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		w.t.Errorf("%s without a reason: %v", response.Status, err)
	}
	w.answers <- heard{err: &refusal{body.Error.Code, response.Status}}
}

func (w *streamWire) post(batch string) {
	w.t.Helper()
	response := w.do(w.t.Context(), "/api/v1/frames", batch)
	if response.StatusCode != http.StatusOK {
		w.refused(response)
		return
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	frames, err := protocol.DecodeBatch(data)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, frame := range frames {
		w.answers <- decoded(frame)
	}
}

func decoded(data []byte) heard {
	frame, err := protocol.DecodeServer(data)
	return heard{frame, err}
}

// listen takes the stream apart until it ends.
func (w *streamWire) listen(ctx context.Context, body io.Reader) {
	lines := bufio.NewReader(body)
	for ctx.Err() == nil {
		line, err := lines.ReadString('\n')
		var said heard
		if data, ok := strings.CutPrefix(line, "data: "); ok && err == nil {
			said = decoded([]byte(data))
		} else if err != nil {
			said.err = err
		} else if line != "\n" && !strings.HasPrefix(line, ":") {
			said.err = fmt.Errorf("the stream has a line %q", line)
		} else {
			continue
		}
		select {
		case <-ctx.Done():
		case w.heard <- said:
		}
		if said.err != nil {
			return
		}
	}
}

func (w *streamWire) read() (protocol.Frame, error) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case h := <-w.answers:
		return h.frame, h.err
	case h := <-w.heard:
		return h.frame, h.err
	case <-timeout.C:
		return nil, context.DeadlineExceeded
	}
}

func (w *streamWire) expectEnd() (protocol.Code, int) {
	w.t.Helper()
	var last protocol.Code
	for {
		frame, err := w.read()
		var refused *refusal
		switch {
		case errors.As(err, &refused):
			return refused.code, 0
		case errors.Is(err, io.EOF):
			return last, 0
		case err != nil:
			w.t.Fatalf("the stream ended in the middle: %v", err)
		}
		if e, ok := frame.(*protocol.Error); ok {
			last = e.Code
		}
	}
}
