// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package trial puts one target under load: a server in its own process, its clients in this one, and a database that
// is counted afterwards.
package trial

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/child"
	"github.com/chattenant/chattenant/hack/bench/chat/load"
	"github.com/chattenant/chattenant/hack/bench/chat/postgres"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Plan is what all blocks have in common.
type Plan struct {
	Database *postgres.Server
	Site     target.Site
	Rooms    int
	Seed     uint64
	// Warmup precedes each run and does not count.
	Warmup time.Duration
	// MaxLag is how late the generator itself may be, at p99.
	MaxLag time.Duration
	Now    func() time.Time
	// ServeArgs are the arguments that make this program the server of the target of that name.
	ServeArgs func(name string) []string
	// CrowdArgs are those that make it a crowd of clients of that target.
	CrowdArgs func(name string) []string
}

// Session is a target with everyone connected.
type Session struct {
	plan   *Plan
	target target.Target
	// process is nil if the server runs elsewhere.
	process *child.Process
	party   *target.Party

	// heapProfile is the file for what the heap holds once everyone is connected, or "".
	heapProfile string
	// Idle is what a connection costs that says nothing.
	Idle Footprint

	current atomic.Pointer[load.Ledger]
	ledgers []*load.Ledger
	next    int64

	mu   sync.Mutex
	lost []error
}

// Footprint is memory of the server per connection, in bytes: live after a collection, the stacks' part of that, and
// resident.
type Footprint struct{ Live, Stacks, Resident float64 }

// firstMessage leaves the numbers below it to what adapters say while they connect.
const firstMessage = 1 << 20

// Open starts the target's server on an empty database and connects everyone. heapProfile is the file for what the
// server's heap holds then, or "".
func Open(ctx context.Context, plan *Plan, name string, t target.Target, heapProfile string) (*Session, error) {
	s := &Session{plan: plan, target: t, next: firstMessage, heapProfile: heapProfile}
	s.current.Store(load.NewLedger(0, 0, plan.Now))
	if err := errors.Join(s.launch(ctx, name), ctx.Err()); err != nil {
		return nil, err
	}
	if err := s.join(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// MeasureIdle connects everyone without TLS, and says what that takes of the server.
func MeasureIdle(ctx context.Context, plan *Plan, name string, t target.Target) (Footprint, error) {
	plain := *plan
	plain.Site.Plain = true
	s, err := Open(ctx, &plain, name, t, "")
	if err != nil {
		return Footprint{}, fmt.Errorf("%s without TLS: %w", name, err)
	}
	return s.Idle, s.Close()
}

// launch starts the server, unless it runs elsewhere.
func (s *Session) launch(ctx context.Context, name string) (err error) {
	if _, ok := s.target.(target.Local); !ok {
		return nil
	}
	if err := s.plan.Database.Recreate(ctx); err != nil {
		return err
	}
	s.process, err = child.Start(ctx, s.plan.Site, s.plan.ServeArgs(name)...)
	return err
}

func (s *Session) join(ctx context.Context) error {
	address := ""
	if s.process != nil {
		address = s.process.Address
	}
	client, err := s.target.At(address, s.plan.Site)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if s.process == nil {
		s.party, err = client.Join(ctx, s.plan.Rooms, s)
		return err
	}
	return s.joinMeasured(ctx, client)
}

// joinMeasured connects everyone and looks at what that takes of the server's memory.
func (s *Session) joinMeasured(ctx context.Context, client target.Client) error {
	// One comes and goes first, so that what is made once is not counted per connection.
	first, err := client.Join(ctx, 1, s)
	if err := errors.Join(err, first.Close()); err != nil {
		return err
	}
	before, err := s.process.Memory("")
	if err != nil {
		return err
	}
	if s.party, err = client.Join(ctx, s.plan.Rooms, s); err != nil {
		return err
	}
	after, err := s.process.Memory(s.heapProfile)
	sockets := float64(len(s.party.Visitors) + len(s.party.Readers))
	s.Idle = Footprint{
		Live: float64(after.Live-before.Live) / sockets, Stacks: float64(after.Stacks-before.Stacks) / sockets,
		Resident: float64(after.Resident-before.Resident) / sockets,
	}
	return err
}

// Close disconnects everyone and stops the server.
func (s *Session) Close() error {
	var err error
	if s.party != nil {
		err = s.party.Close()
	}
	if s.process != nil {
		err = errors.Join(err, s.process.Stop())
	}
	return err
}

// Acked implements target.Listener.
func (s *Session) Acked(n int64) { s.current.Load().Acked(n) }

// Delivered implements target.Listener.
func (s *Session) Delivered(n int64) { s.current.Load().Delivered(n) }

// Refused implements target.Listener.
func (s *Session) Refused(n int64, code string) { s.current.Load().Refused(n, code) }

// Lost implements target.Listener.
func (s *Session) Lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = append(s.lost, err)
}

// losses returns an error if a connection ended by itself.
func (s *Session) losses() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lost) == 0 {
		return nil
	}
	return fmt.Errorf("%d connections were lost, the first: %w", len(s.lost), s.lost[0])
}
