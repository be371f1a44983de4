// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

// maxBurst is how long a direction keeps its kernel pipe while no more bytes come, and how far the bytes metric lags
// behind a long transfer.
const maxBurst = time.Second

var errIdle = errors.New("connection idle for too long")

// relay passes bytes both ways between a client and its tenant until both have finished or either fails.
type relay struct {
	client, upstream *net.TCPConn
	traffic          *traffic
	clock            clock.Clock

	// mu orders a change of limit with the deadlines derived from it.
	mu sync.Mutex
	// limit is how long both directions may rest: the idle time-out, then the half-closed one.
	limit time.Duration
	// halfClosedLimit becomes limit when the first direction ends.
	halfClosedLimit time.Duration
	// active is when a direction last changed between rest and burst.
	active time.Time
	// bursts counts the directions in a burst: while there is one the connection is not idle, however long it takes.
	bursts int
}

// run returns when both directions have ended and both connections are closed. Cancelling ctx ends them.
func (r *relay) run(ctx context.Context) {
	defer r.abort()
	stop := context.AfterFunc(ctx, r.abort)
	defer stop()
	r.active = r.clock.Now()
	out := make(chan struct{})
	go func() {
		defer close(out)
		r.pump(r.client, r.upstream, r.traffic.out)
	}()
	r.pump(r.upstream, r.client, r.traffic.in)
	<-out
}

// abort closes both connections, which ends both directions.
func (r *relay) abort() {
	_ = r.client.Close()
	_ = r.upstream.Close()
}

// pump carries one direction. An end of file is passed on as one, so that the other direction may still finish; any
// error ends both: TLS peers tell a cut connection from a finished one by themselves.
func (r *relay) pump(dst, src *net.TCPConn, bytes prometheus.Counter) {
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
func (r *relay) copyAll(dst, src *net.TCPConn, bytes prometheus.Counter) error {
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
func (r *relay) burst(dst, src *net.TCPConn) (int64, error) {
	r.bursting(+1)
	defer r.bursting(-1)
	if err := src.SetReadDeadline(r.clock.Now().Add(maxBurst)); err != nil {
		return 0, err
	}
	return io.Copy(dst, src) // splice(2), through a pipe of the runtime's pool
}

func (r *relay) bursting(change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bursts += change
	r.active = r.clock.Now()
}

// rest waits for src to become readable, unless the connection as a whole is idle for too long.
func (r *relay) rest(src *net.TCPConn) error {
	for {
		if err := r.setRestDeadline(src); err != nil {
			return err
		}
		if err := awaitReadable(src); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

func (r *relay) setRestDeadline(src *net.TCPConn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
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
func (r *relay) halfClosed(src *net.TCPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = r.halfClosedLimit
	r.active = r.clock.Now()
	// When src is gone already its pump knows: an error here has nothing to add.
	_ = src.SetReadDeadline(r.active.Add(r.limit))
}
