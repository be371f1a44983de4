// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// drainGrace is how long after its time a draining client may still stay; drainRetry how long an unanswered message
// keeps its connection beyond that.
const (
	drainGrace = time.Second
	drainRetry = 50 * time.Millisecond
)

// schedule is what a connection does at its times, with one timer for all of it. Only ring is for others than who has
// the connection's turn.
type schedule struct {
	heartbeat time.Time
	// end is when the connection's lifetime is over, departure when it leaves once it is draining; zero if never.
	end, departure time.Time
	timer          clock.Timer
	// rung is set when the timer has run out.
	rung atomic.Bool
}

func (c *connection) startSchedule() {
	now := c.server.clock.Now()
	c.schedule.heartbeat = now.Add(c.server.config.Timing.Heartbeat)
	if c.lifetime > 0 {
		c.schedule.end = now.Add(c.lifetime)
	}
	c.schedule.rung.Store(true)
}

// ring says that it may be time for something.
func (c *connection) ring() {
	c.schedule.rung.Store(true)
	c.wake()
}

// stopSchedule is for the time when there are no more turns.
func (c *connection) stopSchedule() {
	if c.schedule.timer != nil {
		c.schedule.timer.Stop()
	}
}

// keepTime does what it is time for, if the timer has run out, and sets it again.
func (c *connection) keepTime() error {
	if !c.schedule.rung.Swap(false) {
		return nil
	}
	s, now := &c.schedule, c.server.clock.Now()
	if !now.Before(c.principal.ExpiresAt) {
		return c.revoked()
	}
	if isDue(s.departure, now) {
		if len(c.slots) == 0 {
			return &farewellError{farewell{code: websocket.CloseGoingAway, reason: "drained"}}
		}
		s.departure = now.Add(drainRetry)
	}
	if isDue(s.end, now) {
		s.end = time.Time{}
		if err := c.drain(0); err != nil {
			return err
		}
	}
	if isDue(s.heartbeat, now) {
		s.heartbeat = now.Add(c.server.config.Timing.Heartbeat)
		if err := c.beat(); err != nil {
			return err
		}
	}
	c.setTimer(now)
	return nil
}

func isDue(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// setTimer sets the timer to the first thing that becomes due.
func (c *connection) setTimer(now time.Time) {
	s := &c.schedule
	next := c.principal.ExpiresAt
	for _, t := range [...]time.Time{s.heartbeat, s.end, s.departure} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	if s.timer == nil {
		s.timer = c.server.clock.AfterFunc(next.Sub(now), c.ring)
		return
	}
	s.timer.Reset(next.Sub(now))
}

func (c *connection) revoked() error {
	return &farewellError{farewell{
		frame: &protocol.Error{Code: protocol.Unauthenticated, Message: "the session has ended"},
		code:  websocket.ClosePolicyViolation, reason: "session_ended",
	}}
}

// drain asks the client to come back after delay, and gives it that time. Asked before, it has time enough.
func (c *connection) drain(delay time.Duration) error {
	if !c.schedule.departure.IsZero() {
		return nil
	}
	c.schedule.departure = c.server.clock.Now().Add(delay + drainGrace)
	c.schedule.rung.Store(true)
	return c.send(&protocol.Drain{ReconnectAfterMs: delay.Milliseconds()})
}

func (c *connection) heartbeat() *protocol.Heartbeat {
	return &protocol.Heartbeat{Heads: c.sub.Heads()}
}

// beat says that the server lives, and asks the same of the client.
func (c *connection) beat() error {
	if err := c.send(c.heartbeat()); err != nil {
		return err
	}
	return c.transport.ping()
}

// attend brings everything to the client that has become due.
func (c *connection) attend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case f := <-c.last:
		return &farewellError{f}
	case delay := <-c.draining:
		if err := c.drain(delay); err != nil {
			return err
		}
	default:
	}
	if err := c.keepTime(); err != nil {
		return err
	}
	return c.flush(ctx)
}
