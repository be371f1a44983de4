// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package relay passes bytes both ways between two connections, and ends both when nothing comes for too long. A
// direction at rest holds neither buffer nor kernel pipe where both sides are TCP.
package relay

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// maxBurst is how long a direction keeps its kernel pipe while no more bytes come, and how far the bytes metric lags
// behind a long transfer.
const maxBurst = time.Second

var errIdle = errors.New("connection idle for too long")

// Counter takes numbers of bytes. A prometheus.Counter is one.
type Counter interface{ Add(n float64) }

// Relay connects a client with whom it asked for. Every exported field is required; it runs once.
type Relay struct {
	Client, Upstream End
	// In counts bytes from the client, Out those to it.
	In, Out Counter
	Clock   clock.Clock
	// IdleTimeout is how long both directions may rest.
	IdleTimeout time.Duration
	// HalfClosedTimeout takes the place of IdleTimeout when the first direction ends.
	HalfClosedTimeout time.Duration

	// mu orders a change of limit with the deadlines derived from it.
	mu sync.Mutex
	// limit is how long both directions may rest now.
	limit time.Duration
	// active is when a direction last changed between rest and burst.
	active time.Time
	// bursts counts the directions in a burst: while there is one the connection is not idle, however long it takes.
	bursts int
}

// Run returns when both directions have ended and both connections are closed. Cancelling ctx ends them.
func (r *Relay) Run(ctx context.Context) {
	defer r.abort()
	stop := context.AfterFunc(ctx, r.abort)
	defer stop()
	r.active, r.limit = r.Clock.Now(), r.IdleTimeout
	out := make(chan struct{})
	go func() {
		defer close(out)
		r.pump(r.Client, r.Upstream, r.Out)
	}()
	r.pump(r.Upstream, r.Client, r.In)
	<-out
}

// abort closes both connections, which ends both directions.
func (r *Relay) abort() {
	_ = r.Client.Close()
	_ = r.Upstream.Close()
}

// pump carries one direction. An end of file is passed on as one, so that the other direction may still finish; any
// error ends both: TLS peers tell a cut connection from a finished one by themselves.
func (r *Relay) pump(dst, src End, bytes Counter) {
	if err := r.copyAll(dst, src, bytes); err != nil {
		r.abort()
		return
	}
	if err := dst.CloseWrite(); err != nil {
		r.abort()
		return
	}
	r.halfClosed(dst)
}

// copyAll copies until end of file. Between bursts it holds neither buffer nor pipe.
func (r *Relay) copyAll(dst, src End, bytes Counter) error {
	for {
		if err := r.rest(src); err != nil {
			return err
		}
		n, err := r.burst(dst, src)
		bytes.Add(float64(n))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// burst copies until end of file, or until the first read that finds nothing after maxBurst. It may take longer where
// dst is slow to take what was read.
func (r *Relay) burst(dst, src End) (int64, error) {
	r.bursting(+1)
	defer r.bursting(-1)
	if err := src.SetReadDeadline(r.Clock.Now().Add(maxBurst)); err != nil {
		return 0, err
	}
	return io.Copy(dst.stream(), src.stream()) // between TCP ends splice(2), through a pipe of the runtime's pool
}

func (r *Relay) bursting(change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bursts += change
	r.active = r.Clock.Now()
}

// rest waits for src to become readable, unless the connection as a whole is idle for too long.
func (r *Relay) rest(src End) error {
	for {
		if err := r.setRestDeadline(src); err != nil {
			return err
		}
		if err := src.awaitReadable(); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

func (r *Relay) setRestDeadline(src End) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Clock.Now()
	if r.bursts > 0 {
		r.active = now
	}
	deadline := r.active.Add(r.limit)
	if !now.Before(deadline) {
		return errIdle
	}
	return src.SetReadDeadline(deadline)
}

// halfClosed brings the limit of the direction that is still open, the one that reads from src, forward.
func (r *Relay) halfClosed(src End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = r.HalfClosedTimeout
	r.active = r.Clock.Now()
	// When src is gone already its pump knows: an error here has nothing to add.
	_ = src.SetReadDeadline(r.active.Add(r.limit))
}
