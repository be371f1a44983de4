// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/child"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Storm is what a crowd that comes back at once does to the others.
type Storm struct {
	People int
	// Calm and Stormy are runs at the same rate, the second from the moment of the return on.
	Calm, Stormy *Measurement
	Returned     target.Returned
}

// Weather says what storm to make.
type Weather struct {
	People int
	// Rate is how many messages a second the others send, for Length each without and with the storm.
	Rate   float64
	Length time.Duration
	// Profile is the file for a CPU profile of the server in the storm, or "".
	Profile string
}

// MeasureStorm connects a crowd beside the rooms, runs the load without and with its return, and audits the database.
func MeasureStorm(
	ctx context.Context, plan *Plan, name string, t target.Target, w Weather,
) (_ *Storm, err error) {
	s, err := Open(ctx, plan, name, t, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	crowd, err := child.StartCrowd(ctx, child.Order{
		Address: s.process.Address, Site: plan.Site, People: w.People, FirstRoom: plan.Rooms,
	}, plan.CrowdArgs(name)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crowd.Close()) }()
	storm := &Storm{People: w.People}
	if storm.Calm, err = s.Run(ctx, w.Rate, w.Length); err != nil {
		return nil, err
	}
	if err := s.runStorm(ctx, storm, crowd, w); err != nil {
		return nil, err
	}
	_, err = s.Audit(ctx)
	return storm, err
}

// runStorm lets the crowd return at the end of a run's warm-up.
func (s *Session) runStorm(
	ctx context.Context, storm *Storm, crowd *child.Crowd, w Weather,
) (err error) {
	if w.Profile != "" && s.process != nil {
		if err := s.process.StartProfile(w.Profile); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.process.StopProfile()) }()
	}
	returned := make(chan error, 1)
	time.AfterFunc(s.plan.Warmup, func() {
		var err error
		storm.Returned, err = crowd.Return()
		returned <- err
	})
	storm.Stormy, err = s.Run(ctx, w.Rate, w.Length)
	return errors.Join(err, <-returned)
}
