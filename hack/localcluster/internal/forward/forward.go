// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package forward passes connections on, to the first of several addresses that answers.
package forward

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout is short: the addresses are on the same machine, and one that does not answer is down.
const dialTimeout = time.Second

// Forwarder passes the connections of one listener on.
type Forwarder struct {
	targets []string
	// first is the target that answered last.
	first atomic.Int64
}

// New returns a forwarder to targets, each "host:port".
func New(targets []string) *Forwarder { return &Forwarder{targets: targets} }

// Serve passes connections on until the listener is closed.
func (f *Forwarder) Serve(ctx context.Context, listener net.Listener) error {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go f.pass(ctx, client)
	}
}

// pass copies both ways until both sides are done.
func (f *Forwarder) pass(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := f.dial(ctx)
	if err != nil {
		slog.Warn("no target answers", "error", err)
		return
	}
	defer func() { _ = server.Close() }()
	var done sync.WaitGroup
	done.Go(func() { half(server, client) })
	done.Go(func() { half(client, server) })
	done.Wait()
}

// half copies one direction and then closes that direction only: the other side may still be sending.
func half(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if closer, ok := to.(interface{ CloseWrite() error }); ok {
		_ = closer.CloseWrite()
	}
}

// dial tries every target once, beginning with the one that answered last.
func (f *Forwarder) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	count, first := len(f.targets), int(f.first.Load())
	var failures []error
	for i := range count {
		index := (first + i) % count
		connection, err := dialer.DialContext(ctx, "tcp", f.targets[index])
		if err == nil {
			f.first.Store(int64(index))
			return connection, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}
