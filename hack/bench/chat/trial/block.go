// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Program is what each block goes through.
type Program struct {
	// Rates are run by every target alike, each for Length.
	Rates  []float64
	Length time.Duration
	// KneeFrom is where the search for the knee begins, 0 leaves it out; each of its steps takes Step.
	KneeFrom float64
	Step     time.Duration
	// Profile is the file for a CPU profile of the run at the highest of Rates, or "".
	Profile string
	// HeapProfile is the file for a heap profile of the idle server, or "".
	HeapProfile string
}

// Block is everything measured of one server process.
type Block struct {
	Target string
	Idle   Footprint
	// Equal has one entry per rate of the program.
	Equal []*Measurement
	// Knee and Tenth, a run at a tenth of it, are empty if the program does not look for it.
	Knee  Knee
	Tenth *Measurement
	// Rows is how many messages the audit found, each of them acknowledged; 0 of a server elsewhere.
	Rows int
}

// tenth of saturation is where people live.
const tenth = 0.1

// Measure runs a block. It fails if the load generator lagged, if connections were lost, or if the database does not
// hold exactly what was acknowledged.
func Measure(ctx context.Context, plan *Plan, name string, t target.Target, p Program) (_ *Block, err error) {
	s, err := Open(ctx, plan, name, t, p.HeapProfile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	block := &Block{Target: name, Idle: s.Idle}
	if err := s.measure(ctx, block, p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if block.Rows, err = s.Audit(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return block, nil
}

func (s *Session) measure(ctx context.Context, block *Block, p Program) error {
	for i, rate := range p.Rates {
		m, err := s.punctual(ctx, rate, p, i == len(p.Rates)-1)
		if err != nil {
			return err
		}
		block.Equal = append(block.Equal, m)
	}
	if p.KneeFrom == 0 {
		return nil
	}
	var err error
	if block.Knee, err = s.Knee(ctx, p.KneeFrom, p.Step); err != nil || block.Knee.Best == nil {
		return err
	}
	block.Tenth, err = s.punctual(ctx, tenth*block.Knee.Best.Rate, p, false)
	return err
}

// patience is how often a run is repeated because something else on the machine held up the generator.
const patience = 3

// punctual runs until the generator kept its schedule, or fails.
func (s *Session) punctual(ctx context.Context, rate float64, p Program, last bool) (*Measurement, error) {
	for attempt := 1; ; attempt++ {
		m, err := s.profiled(ctx, rate, p, last)
		if err != nil {
			return nil, err
		}
		late := m.CheckLag(s.plan.MaxLag)
		if late == nil || m.CutShort {
			return m, nil
		}
		if attempt == patience {
			return nil, fmt.Errorf("at %.0f messages/s, tried %d times: %w", rate, attempt, late)
		}
	}
}

func (s *Session) profiled(ctx context.Context, rate float64, p Program, last bool) (*Measurement, error) {
	if p.Profile == "" || !last || s.process == nil {
		return s.Run(ctx, rate, p.Length)
	}
	if err := s.process.StartProfile(p.Profile); err != nil {
		return nil, err
	}
	m, err := s.Run(ctx, rate, p.Length)
	return m, errors.Join(err, s.process.StopProfile())
}
