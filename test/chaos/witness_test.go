// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// witness is an agent that reads the wire itself. A client hides what a server does wrong: it drops what it has, and
// takes a gap for a broken connection. A witness forgives nothing, and often begins again from nothing.
type witness struct {
	name    string
	source  string
	service *service
	oracle  *oracle.Oracle
	random  *rand.Rand
	cookie  string

	mu      sync.Mutex
	reader  *oracle.Reader
	cursors map[uuid.UUID]protocol.Cursor
	// known are the conversations announced on the present socket.
	known map[uuid.UUID]bool
	// sockets counts connections, fresh those that began from nothing.
	sockets, fresh atomic.Int64
}

func newWitness(w *world, name string, index int) *witness {
	return &witness{
		name: name, source: fmt.Sprintf("203.0.113.%d:4711", index), service: w.service, oracle: w.oracle,
		random: repeatable(w.seed, index),
		reader: w.oracle.NewReader(name), cursors: map[uuid.UUID]protocol.Cursor{},
	}
}

func (w *witness) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return w.service.dial(ctx, w.source)
}

// signIn gets the session cookie.
func (w *witness) signIn(ctx context.Context, email string) error {
	body, err := json.Marshal(map[string]string{"email": email, "password": servertest.Password})
	if err != nil {
		return fmt.Errorf("encode credentials: %w", err)
	}
	const path = "/api/v1/agent/session"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, servertest.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Origin", servertest.Endpoint)
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: w.service.tls.Clone(), DialContext: w.dial, DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	for _, cookie := range response.Cookies() {
		w.cookie = cookie.Name + "=" + cookie.Value
	}
	if response.StatusCode != http.StatusOK || w.cookie == "" {
		return fmt.Errorf("sign in: %s", response.Status)
	}
	return nil
}

// watch reads, over any number of sockets, until ctx ends.
func (w *witness) watch(ctx context.Context) {
	for ctx.Err() == nil {
		w.begin(w.random.IntN(3) == 0)
		// Even a calm socket is left after a while, for the sake of resuming.
		limited, cancel := context.WithTimeout(ctx, within(w.random, 5*time.Second, 40*time.Second))
		err := w.readSocket(limited)
		cancel()
		var refusal *refusedError
		if errors.As(err, &refusal) && !mayPass(refusal.frame.Code) {
			w.oracle.Violated("%s was turned away: %v", w.name, err)
			return
		}
		pause(ctx, within(w.random, 100*ms, 1500*ms))
	}
}

// begin prepares for a new socket, which continues where the last one ended or begins from nothing.
func (w *witness) begin(fresh bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = map[uuid.UUID]bool{}
	if fresh {
		w.fresh.Add(1)
		w.reader = w.oracle.NewReader(fmt.Sprintf("%s (fresh reader %d)", w.name, w.fresh.Load()))
		w.cursors = map[uuid.UUID]protocol.Cursor{}
	}
}

// refusedError is an error frame that ends the socket.
type refusedError struct{ frame *protocol.Error }

func (e *refusedError) Error() string { return fmt.Sprintf("%s: %s", e.frame.Code, e.frame.Message) }

func (w *witness) readSocket(ctx context.Context) error {
	dialer := &websocket.Dialer{
		NetDialContext: w.dial, TLSClientConfig: w.service.tls.Clone(),
		Subprotocols: []string{protocol.Subprotocol}, HandshakeTimeout: 10 * time.Second,
	}
	header := http.Header{"Origin": {servertest.Endpoint}, "Cookie": {w.cookie}}
	address := "wss://" + servertest.Host + ":" + servertest.Port + "/api/v1/ws"
	ws, response, err := dialer.DialContext(ctx, address, header)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = ws.Close() }()
	defer context.AfterFunc(ctx, func() { _ = ws.Close() })()
	w.mu.Lock()
	hello := &protocol.Hello{Protocol: protocol.Version, Cursors: maps.Clone(w.cursors)}
	w.mu.Unlock()
	data, err := protocol.Encode(hello)
	if err != nil {
		return err
	}
	if err := ws.WriteMessage(websocket.TextMessage, data); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	w.sockets.Add(1)
	for {
		_ = ws.SetReadDeadline(time.Now().Add(protocol.SilenceTimeout))
		_, data, err := ws.ReadMessage()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := w.take(data); err != nil {
			return err
		}
	}
}

// take judges one frame.
func (w *witness) take(data []byte) error {
	frame, err := protocol.DecodeServer(data)
	if err != nil {
		w.oracle.Violated("%s was sent what is no frame: %v", w.name, err)
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f := frame.(type) {
	case *protocol.Conversation:
		w.known[f.Conversation] = true
	case *protocol.Event:
		if !w.known[f.Conversation] {
			w.oracle.Violated("conversation %s: %s was shown seq %d unannounced", f.Conversation, w.name, f.Seq)
		}
		w.reader.Event(f)
		w.cursors[f.Conversation] = protocol.Cursor{Epoch: f.Epoch, Seq: f.Seq}
	case *protocol.CaughtUp:
		w.reader.CaughtUp(f)
	case *protocol.Reset:
		w.reader.Reset(f)
		delete(w.cursors, f.Conversation)
	case *protocol.Error:
		return &refusedError{frame: f}
	}
	return nil
}

// behind says what the witness has not seen on its present reading.
func (w *witness) behind(conversations []uuid.UUID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reader.Behind(conversations)
}
