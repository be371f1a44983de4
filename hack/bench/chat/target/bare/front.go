// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package bare holds the two measures of scale: a pipe, which is the least that puts messages on disk and hands them
// on, and a naive server, which is what one writes first. Neither has rooms, identities or sealing.
package bare

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// frame is everything that is said in either direction.
type frame struct {
	Type     string `json:"type"`
	ClientID string `json:"clientId"`
	Body     string `json:"body,omitempty"`
}

// keeper puts messages on disk. done is called once the message is there, or with an error.
type keeper interface {
	keep(ctx context.Context, f *frame, done func(error))
}

// front is the WebSocket side of both.
type front struct {
	keeper keeper

	mu      sync.RWMutex
	readers map[*peer]struct{}
}

const (
	readerPath  = "/reader"
	visitorPath = "/visitor"
	// outgoing bounds what waits for one socket; one that reads too slowly is closed.
	outgoing      = 8192
	headerTimeout = 30 * time.Second
	bufferSize    = 1024
	writeBuffer   = 4096
)

var writeBuffers sync.Pool

var upgrader = &websocket.Upgrader{
	ReadBufferSize: bufferSize, WriteBufferSize: writeBuffer, WriteBufferPool: &writeBuffers,
	CheckOrigin: func(*http.Request) bool { return true },
}

// peer is a socket with what waits to be written to it.
type peer struct {
	conn *websocket.Conn
	out  chan []byte
}

func (f *front) serve(ctx context.Context, site target.Site, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc(readerPath, func(w http.ResponseWriter, r *http.Request) { f.accept(w, r, f.read) })
	mux.HandleFunc(visitorPath, func(w http.ResponseWriter, r *http.Request) { f.accept(w, r, f.visit) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	secured, err := Secure(site, listener)
	if err != nil {
		return err
	}
	if err := server.Serve(secured); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Secure puts TLS in front of listener, unless the site is to do without.
func Secure(site target.Site, listener net.Listener) (net.Listener, error) {
	if site.Plain {
		return listener, nil
	}
	pair, err := tls.LoadX509KeyPair(site.Endpoint.CertFile, site.Endpoint.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), nil
}

func (f *front) accept(w http.ResponseWriter, r *http.Request, serve func(context.Context, *peer)) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // The upgrader has answered.
	}
	p := &peer{conn: conn, out: make(chan []byte, outgoingOf(r))}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer func() { _ = conn.Close() }()
	go p.write(ctx)
	serve(ctx, p)
}

// outgoingOf gives the one reader of all rooms a longer queue than a visitor.
func outgoingOf(r *http.Request) int {
	if r.URL.Path == readerPath {
		return outgoing
	}
	const own = 32
	return own
}

func (p *peer) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case data := <-p.out:
			if err := p.conn.WriteMessage(websocket.TextMessage, data); err != nil {
				_ = p.conn.Close()
				return
			}
		}
	}
}

func (p *peer) send(data []byte) {
	select {
	case p.out <- data:
	default:
		_ = p.conn.Close()
	}
}

func (f *front) read(_ context.Context, p *peer) {
	f.mu.Lock()
	f.readers[p] = struct{}{}
	f.mu.Unlock()
	_, _, _ = p.conn.ReadMessage() // A reader says nothing; this ends when it leaves.
	f.mu.Lock()
	delete(f.readers, p)
	f.mu.Unlock()
}

func (f *front) visit(ctx context.Context, p *peer) {
	for {
		_, data, err := p.conn.ReadMessage()
		if err != nil {
			return
		}
		var said frame
		if json.Unmarshal(data, &said) != nil {
			return
		}
		f.keeper.keep(ctx, &said, func(err error) { f.kept(p, &said, err) })
	}
}

// kept acknowledges a message and hands it to the readers.
func (f *front) kept(p *peer, said *frame, err error) {
	if err != nil {
		p.send(encode(&frame{Type: "error", ClientID: said.ClientID}))
		return
	}
	p.send(encode(&frame{Type: "ack", ClientID: said.ClientID}))
	event := encode(&frame{Type: "event", ClientID: said.ClientID, Body: said.Body})
	f.mu.RLock()
	defer f.mu.RUnlock()
	for reader := range f.readers {
		reader.send(event)
	}
}

func encode(f *frame) []byte {
	data, _ := json.Marshal(f) // Texts only.
	return data
}
