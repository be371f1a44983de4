// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// corked is a connection that can hold back what is written to it, so that several frames leave in one TLS record, by
// one system call. Its reader waits above TLS.
type corked struct {
	net.Conn
	// below is what TLS reads from; nil if TLS itself waits.
	below *shallow
	mu    sync.Mutex
	// held is nil unless the cork is in; of it so many bytes wait.
	held    *[]byte
	waiting int
}

// Read implements net.Conn.
func (c *corked) Read(data []byte) (int, error) {
	for {
		n, err := c.Conn.Read(data)
		if c.below == nil || !errors.Is(err, errNothingYet) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if err := c.below.wait(); err != nil {
			return 0, err
		}
	}
}

// Write implements net.Conn. What is held back counts as written.
func (c *corked) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return c.Conn.Write(data)
	}
	if c.waiting+len(data) > bufferSize {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	if len(data) > bufferSize {
		return c.Conn.Write(data)
	}
	c.waiting += copy((*c.held)[c.waiting:], data)
	return len(data), nil
}

// cork holds back what is written until uncork.
func (c *corked) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held, _ = buffers.Get().(*[]byte)
	}
}

// uncork sends what was held back.
func (c *corked) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return nil
	}
	err := c.flush()
	buffers.Put(c.held)
	c.held = nil
	return err
}

// flush is called with the lock held.
func (c *corked) flush() error {
	if c.waiting == 0 {
		return nil
	}
	_, err := c.Conn.Write((*c.held)[:c.waiting])
	c.waiting = 0
	return err
}

// corking makes the connection that a handler takes over a corked one.
type corking struct {
	http.ResponseWriter
	conn *corked
}

// Hijack implements http.Hijacker.
func (w *corking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over connection: %w", err)
	}
	w.conn = &corked{Conn: conn}
	if c := newcomerOf(conn); c != nil && c.begin() {
		w.conn.below = &c.shallow
	}
	return w.conn, buffered, nil
}
