// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net"
	"net/http"
	"sync/atomic"
)

// gate bounds how many newcomers are computed for at once: a handshake takes most of a millisecond, and a message that
// arrives should find a core that is free. Who waits for the network is not counted. The order is that of arrival.
type gate chan struct{}

// newGate leaves one of the cores to those who are in, if there are several.
func newGate(cores int) gate { return make(gate, max(1, cores-1)) }

func (g gate) enter() { g <- struct{}{} }
func (g gate) leave() { <-g }

// pass waits until those before have had their turn.
func (g gate) pass() {
	g.enter()
	g.leave()
}

// newcomer is a connection before its first request. It is at the gate except while it reads.
type newcomer struct {
	shallow
	gate gate
	// inside is set while it has a place, through once it needs none any more, left when it was closed.
	inside, through, left atomic.Bool
}

// Read implements net.Conn.
func (c *newcomer) Read(data []byte) (int, error) {
	if c.through.Load() {
		return c.shallow.Read(data)
	}
	c.giveWay()
	n, err := c.shallow.Read(data)
	if err == nil {
		c.enter()
	}
	return n, err
}

func (c *newcomer) enter() {
	c.gate.enter()
	c.inside.Store(true)
	if c.left.Load() {
		c.giveWay()
	}
}

// giveWay leaves the place to the next, if it has one.
func (c *newcomer) giveWay() {
	if c.inside.CompareAndSwap(true, false) {
		c.gate.leave()
	}
}

// Close implements net.Conn.
func (c *newcomer) Close() error {
	c.left.Store(true)
	c.giveWay()
	return c.Conn.Close()
}

// letThrough is told by the HTTP server how its connections are: with the first request one is in.
func letThrough(conn net.Conn, state http.ConnState) {
	if c := newcomerOf(conn); c != nil && state != http.StateNew {
		c.through.Store(true)
		c.giveWay()
	}
}
