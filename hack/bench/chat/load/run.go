// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Sender puts message number n on its way in a room. It must not wait for the answer.
type Sender func(room int, n int64) error

const (
	// lanes send side by side, so that one socket that does not take a message holds up a part of the rooms only.
	lanes = 4
	// overload is how many seconds' worth of messages may be unanswered before a run is cut short.
	overload = 1.0
	// leastOverload lets slow runs have a batch or two unanswered.
	leastOverload = 500
	watchEvery    = 20 * time.Millisecond
	// settleTimeout bounds the wait for the last answers.
	settleTimeout = 30 * time.Second
)

// Run is one stretch of load.
type Run struct {
	Rate     float64
	Arrivals []Arrival
	// Length is the whole stretch, of which Warmup does not count.
	Length, Warmup time.Duration
	Ledger         *Ledger
	Send           Sender
}

// Do sends every arrival when it is due and waits for the answers. It reports whether the server fell so far behind
// that the run was cut short.
func (r *Run) Do(ctx context.Context) (cutShort bool, err error) {
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.Ledger.restart()
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			if err := r.sendLane(sending, lane); err != nil {
				stop(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); wg.Wait() }()
	cutShort = r.watch(sending, done, stop)
	<-done
	if err := context.Cause(sending); err != nil && !cutShort {
		return false, fmt.Errorf("send: %w", err)
	}
	return cutShort, r.settle(ctx)
}

// watch cuts the run short when too much is unanswered.
func (r *Run) watch(ctx context.Context, done <-chan struct{}, stop context.CancelCauseFunc) bool {
	limit := max(leastOverload, int64(overload*r.Rate))
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return false
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
		if r.Ledger.waiting() > limit {
			stop(nil)
			return true
		}
	}
}

func (r *Run) sendLane(ctx context.Context, lane int) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, a := range r.Arrivals {
		if a.Room%lanes != lane {
			continue
		}
		if !r.sleepUntil(ctx, timer, a.At) {
			return nil
		}
		r.Ledger.leave(i)
		if err := r.Send(a.Room, r.Ledger.First+int64(i)); err != nil {
			return fmt.Errorf("room %d: %w", a.Room, err)
		}
	}
	return nil
}

func (r *Run) sleepUntil(ctx context.Context, timer *time.Timer, at time.Duration) bool {
	if wait := at - time.Duration(r.Ledger.since()); wait > 0 {
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
	}
	return ctx.Err() == nil
}

// settle waits until everything is answered and delivered, or for settleTimeout.
func (r *Run) settle(ctx context.Context) error {
	for range settleTimeout / watchEvery {
		if r.Ledger.settled() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for answers: %w", ctx.Err())
		case <-time.After(watchEvery):
		}
	}
	return nil
}
