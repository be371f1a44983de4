// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package wire is the part that the WebSocket clients of all targets share, so that the generator costs the same
// whatever it measures.
package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	handshakeTimeout = 30 * time.Second
	writeTimeout     = 30 * time.Second
	readBuffer       = 2048
	writeBuffer      = 1024
)

var writeBuffers sync.Pool

// Door says how to reach a server.
type Door struct {
	URL          string
	Header       http.Header
	Subprotocols []string
	// TLS is used for wss.
	TLS *tls.Config
	// Dial replaces the connection to the URL's host.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Socket is a WebSocket. Writes may come from several goroutines.
type Socket struct {
	conn    *websocket.Conn
	writing sync.Mutex
	closed  atomic.Bool
}

// Dial connects.
func Dial(ctx context.Context, door Door) (*Socket, error) {
	dialer := &websocket.Dialer{
		NetDialContext: door.Dial, TLSClientConfig: door.TLS, Subprotocols: door.Subprotocols,
		HandshakeTimeout: handshakeTimeout, ReadBufferSize: readBuffer, WriteBufferSize: writeBuffer,
		WriteBufferPool: &writeBuffers,
	}
	conn, response, err := dialer.DialContext(ctx, door.URL, door.Header)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &Socket{conn: conn}, nil
}

// Write sends a text frame.
func (s *Socket) Write(data []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.WriteMessage(websocket.TextMessage, data); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Read returns the next frame. It is for the time before Listen.
func (s *Socket) Read() ([]byte, error) {
	_, data, err := s.conn.ReadMessage()
	if err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	return data, nil
}

// Await reads until a frame satisfies wanted, and returns it.
func (s *Socket) Await(wanted func([]byte) (bool, error)) ([]byte, error) {
	for {
		data, err := s.Read()
		if err != nil {
			return nil, err
		}
		if ok, err := wanted(data); ok || err != nil {
			return data, err
		}
	}
}

// Listen hands every further frame to handle, from one goroutine. lost is told if the connection ends by itself.
func (s *Socket) Listen(handle func([]byte), lost func(error)) {
	go func() {
		for {
			data, err := s.Read()
			if err != nil {
				if !s.closed.Load() {
					lost(err)
				}
				return
			}
			handle(data)
		}
	}()
}

// Close ends the connection without ceremony.
func (s *Socket) Close() error {
	s.closed.Store(true)
	if err := s.conn.NetConn().Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// Trusting is a configuration that trusts the certificates in file for name.
func Trusting(file, name string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read authority %s: no certificate in it", file)
	}
	return &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS13}, nil
}

// Field finds the text of the first field of that name in a JSON object whose texts need no escapes. Decoding every
// frame would make the generator the slowest part of the measurement.
func Field(frame []byte, name string) string {
	_, rest, ok := bytes.Cut(frame, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(value)
}
