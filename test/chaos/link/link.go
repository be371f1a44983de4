// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package link is a network between two programs that can fail: a TCP forwarder on 127.0.0.1 that refuses, holds or
// loses what it carries. Whatever it carries, TLS too, it passes on byte by byte.
package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// treatment is what a link does with what it carries in one direction.
type treatment int

const (
	// pass carries it over.
	pass treatment = iota
	// hold keeps it until the link passes again, as if the network had retransmitted it.
	hold
	// lose takes it and tells nobody.
	lose
)

// direction is one of the two ways through a link.
type direction int

const (
	toServer direction = iota
	toClient
	directions
)

// Link forwards connections to a server. Safe for concurrent use.
type Link struct {
	listener net.Listener
	// ending ends the dials of a link, which has no caller to ask.
	ending  context.Context
	end     context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	target string
	// cut refuses connections; treatments apply to those there are and those to come.
	cut        bool
	treatments [directions]treatment
	pipes      map[*pipe]struct{}
	// changed is closed and replaced whenever something above changes.
	changed chan struct{}
}

// New listens on a free port of 127.0.0.1 and forwards to target, host:port, which may be empty until SetTarget.
func New(ctx context.Context, target string) (*Link, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l := &Link{listener: listener, target: target, pipes: map[*pipe]struct{}{}, changed: make(chan struct{})}
	l.ending, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.running.Go(l.accept)
	return l, nil
}

// Address is where clients connect.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Port is the port of Address.
func (l *Link) Port() int32 {
	address, ok := l.listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return int32(address.Port) //nolint:gosec // A port fits.
}

// SetTarget forwards later connections elsewhere.
func (l *Link) SetTarget(target string) { l.change(func() { l.target = target }) }

// Cut resets every connection and refuses new ones, until Heal.
func (l *Link) Cut() {
	l.change(func() {
		l.cut = true
		l.resetAll()
	})
}

// Hold lets nothing through in either direction, until Heal delivers it: a partition that ends.
func (l *Link) Hold() { l.change(func() { l.treatments = [directions]treatment{hold, hold} }) }

// LoseReplies carries what clients send and loses what the server answers, until Heal, which resets the connections
// that lost something.
func (l *Link) LoseReplies() { l.change(func() { l.treatments = [directions]treatment{pass, lose} }) }

// Heal carries everything over again.
func (l *Link) Heal() {
	l.change(func() {
		l.cut = false
		l.treatments = [directions]treatment{}
		for p := range l.pipes {
			if p.lossy && !p.abandoned {
				p.reset()
			}
		}
	})
}

// Reset resets every connection once; new ones are carried.
func (l *Link) Reset() { l.change(l.resetAll) }

// Abandon loses, for good, everything on the connections there are, and tells neither end: each is half-open to the
// other. New connections are carried.
func (l *Link) Abandon() {
	l.change(func() {
		for p := range l.pipes {
			p.abandoned = true
		}
	})
}

// Close ends everything.
func (l *Link) Close() error {
	l.end()
	err := l.listener.Close()
	l.Reset()
	l.running.Wait()
	return err
}

func (l *Link) change(apply func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	apply()
	close(l.changed)
	l.changed = make(chan struct{})
}

// resetAll is called with the lock held.
func (l *Link) resetAll() {
	for p := range l.pipes {
		p.reset()
	}
}

// acceptPause keeps a failing listener from spinning, as when there are no file descriptors left.
const acceptPause = 50 * time.Millisecond

func (l *Link) accept() {
	for {
		conn, err := l.listener.Accept()
		switch client, ok := conn.(*net.TCPConn); {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil || !ok:
			time.Sleep(acceptPause)
		default:
			l.running.Go(func() { l.carry(client) })
		}
	}
}

// carry connects a client to the server and forwards until both are done.
func (l *Link) carry(client *net.TCPConn) {
	p := &pipe{link: l}
	p.ends[toClient] = client
	if !l.add(p) {
		abort(client)
		return
	}
	defer l.remove(p)
	if l.await(p, toServer) == lose {
		return
	}
	server, err := l.dial()
	if err != nil || !l.join(p, server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(toServer) })
	both.Go(func() { p.forward(toClient) })
	both.Wait()
}

const dialTimeout = 5 * time.Second

func (l *Link) dial() (*net.TCPConn, error) {
	l.mu.Lock()
	target := l.target
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.ending, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, fmt.Errorf("dial server: %w", err)
	}
	server, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("dialled a %T", conn), conn.Close())
	}
	return server, nil
}

func (l *Link) add(p *pipe) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut || l.ending.Err() != nil {
		return false
	}
	l.pipes[p] = struct{}{}
	return true
}

// join adds the server's end, unless the link was cut or reset while it was being dialled.
func (l *Link) join(p *pipe, server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.isReset {
		abort(server)
		return false
	}
	p.ends[toServer] = server
	return true
}

func (l *Link) remove(p *pipe) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pipes, p)
	p.reset()
}

// await waits until the link carries or loses what p has in that direction, and says which. A pipe that was reset
// loses everything.
func (l *Link) await(p *pipe, d direction) treatment {
	for {
		l.mu.Lock()
		t, changed := p.treatment(d), l.changed
		if t == lose {
			p.lossy = true
		}
		l.mu.Unlock()
		if t != hold {
			return t
		}
		<-changed
	}
}
