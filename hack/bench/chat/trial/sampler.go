// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
)

// sample is what the server had done and spent at a moment.
type sample struct {
	acks, flushes int64
	// cpu is the chat server's, database the database's.
	cpu, database time.Duration
}

const sampleEvery = time.Second

// sampler samples while the load is steady, so that what is late in one sample is as late in the next.
type sampler struct {
	end     chan struct{}
	ended   chan error
	samples []sample
}

func (s *Session) startSampler(ctx context.Context, ledger *load.Ledger) *sampler {
	sm := &sampler{end: make(chan struct{}), ended: make(chan error, 1)}
	go func() { sm.ended <- sm.run(ctx, s, ledger) }()
	return sm
}

// stop ends sampling and returns the samples from the end of the warm-up on.
func (sm *sampler) stop() ([]sample, error) {
	close(sm.end)
	err := <-sm.ended
	return sm.samples, err
}

func (sm *sampler) run(ctx context.Context, s *Session, ledger *load.Ledger) error {
	if s.process == nil {
		return nil
	}
	wait := time.NewTimer(s.plan.Warmup)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("sample: %w", ctx.Err())
		case <-sm.end:
			return nil
		case <-wait.C:
		}
		wait.Reset(sampleEvery)
		usage, err := s.process.Usage()
		if err != nil {
			return err
		}
		flushes, err := s.plan.Database.WALFlushes(ctx)
		if err != nil {
			return err
		}
		database, err := s.plan.Database.CPU()
		if err != nil {
			return err
		}
		sm.samples = append(sm.samples, sample{
			acks: ledger.AckCount(), flushes: flushes, cpu: usage.CPU, database: database,
		})
	}
}
