// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// socket is a WebSocket.
type socket struct {
	conn    *websocket.Conn
	clock   clock.PassiveClock
	writing sync.Mutex
	// silence is how long the server may say nothing: first until the first frame, then SilenceTimeout.
	silence time.Duration
}

func (s *Session) dialSocket(ctx context.Context, hello []byte) (wire, error) {
	dialer := &websocket.Dialer{
		NetDialContext: s.client.config.Dial, TLSClientConfig: s.client.config.TLS.Clone(),
		Subprotocols: []string{protocol.Subprotocol}, HandshakeTimeout: writeTimeout,
	}
	header := http.Header{}
	s.client.decorate(header, s.who)
	conn, response, err := dialer.DialContext(ctx, "wss://"+s.client.host+"/api/v1/ws", header)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return nil, handshakeError(response, err)
	}
	w := &socket{conn: conn, clock: s.client.config.Clock, silence: protocol.SilenceTimeout}
	if s.choice.transport == TransportAuto {
		w.silence = firstFrame
	}
	w.write(hello)
	return w, nil
}

// handshakeError finds the server's own words in a refused handshake.
func handshakeError(response *http.Response, err error) error {
	if response != nil {
		var refusal *Error
		if errors.As(decodeAnswer(response, nil), &refusal) {
			return refusal
		}
	}
	return fmt.Errorf("connect: %w", err)
}

// read implements wire.
func (w *socket) read() ([]byte, error) {
	_ = w.conn.SetReadDeadline(w.clock.Now().Add(w.silence))
	_, data, err := w.conn.ReadMessage()
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	w.silence = protocol.SilenceTimeout
	return data, nil
}

// write implements wire.
func (w *socket) write(data []byte) {
	w.writing.Lock()
	defer w.writing.Unlock()
	_ = w.conn.SetWriteDeadline(w.clock.Now().Add(writeTimeout))
	_ = w.conn.WriteMessage(websocket.TextMessage, data)
}

// close implements wire.
func (w *socket) close() { _ = w.conn.Close() }
