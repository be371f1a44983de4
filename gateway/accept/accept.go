// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package accept is the life of a gateway's listener: it accepts through passing failures, says whether it is ready,
// and drains.
package accept

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

// Listener is the part of [net.TCPListener] that is needed.
type Listener interface {
	AcceptTCP() (*net.TCPConn, error)
	Close() error
}

// Handler serves connections.
type Handler interface {
	// Admit decides on a connection before anything is read from it. It is called by one goroutine and must not block;
	// a connection that it does not admit is closed.
	Admit(client *net.TCPConn) bool
	// Handle serves an admitted connection to its end, in a goroutine of its own, and closes it.
	Handle(ctx context.Context, client *net.TCPConn)
}

// Options is how a [Loop] serves. Every field is required.
type Options struct {
	// DrainDelay goes on accepting after readiness went off.
	DrainDelay time.Duration
	// DrainTimeout is how long open connections may then end by themselves.
	DrainTimeout time.Duration
	// Failed is told of every failed accept.
	Failed func()
	Clock  clock.Clock
	Log    logr.Logger
}

type state int32

const (
	starting state = iota
	serving
	draining
)

// Loop accepts connections. The zero value is not ready; it serves once.
type Loop struct {
	state       atomic.Int32
	connections sync.WaitGroup
}

// Ready is nil while connections are accepted and are meant to go on being so.
func (l *Loop) Ready() error {
	switch state(l.state.Load()) {
	case serving:
		return nil
	case starting:
		return errors.New("not serving yet")
	case draining:
		return errors.New("draining")
	default:
		return errors.New("unknown state")
	}
}

// Serve accepts connections until ctx ends, then drains: readiness goes off, DrainDelay passes, the listener closes,
// open connections get DrainTimeout to end and are then cut. It returns nil after a drain, with nothing left running.
func (l *Loop) Serve(ctx context.Context, listener Listener, handler Handler, o Options) error {
	connections, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		l.acceptAll(connections, listener, handler, o)
	}()
	l.state.Store(int32(serving))
	o.Log.Info("serving")
	select {
	case <-accepted:
		l.state.Store(int32(draining))
		cut()
		l.connections.Wait()
		return fmt.Errorf("accept connections: %w", net.ErrClosed)
	case <-ctx.Done():
	}
	l.drain(listener, accepted, cut, o)
	return nil
}

func (l *Loop) drain(listener Listener, accepted <-chan struct{}, cut context.CancelFunc, o Options) {
	l.state.Store(int32(draining))
	o.Log.Info("draining", "delay", o.DrainDelay, "timeout", o.DrainTimeout)
	o.Clock.Sleep(o.DrainDelay)
	_ = listener.Close()
	<-accepted
	ended := make(chan struct{})
	go func() {
		l.connections.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-o.Clock.After(o.DrainTimeout):
		cut()
		<-ended
	}
	o.Log.Info("drained")
}

// acceptAll accepts until the listener is closed. Other errors, such as having no file descriptor left, pass: it backs
// off and goes on, since giving up would turn one flood into everybody's outage.
func (l *Loop) acceptAll(ctx context.Context, listener Listener, handler Handler, o Options) {
	backoff := acceptBackoff()
	for {
		client, err := listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			o.Failed()
			pause(ctx, o.Clock, backoff.Step())
			continue
		}
		backoff = acceptBackoff()
		if !handler.Admit(client) {
			_ = client.Close()
			continue
		}
		l.connections.Go(func() { handler.Handle(ctx, client) })
	}
}

func acceptBackoff() wait.Backoff {
	return wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Steps: 9, Cap: time.Second}
}

func pause(ctx context.Context, clock clock.Clock, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-clock.After(d):
	}
}
