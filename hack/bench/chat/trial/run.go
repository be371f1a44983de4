// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
)

// Measurement is a run and what the server spent on it.
type Measurement struct {
	*load.Result
	// CPU is the server's processor time per 1,000 acknowledgements, in seconds; CPUSlices that of each second.
	CPU       float64
	CPUSlices []float64
	// DatabaseCPU is the database's.
	DatabaseCPU float64
	// Flushes of the write-ahead log per acknowledgement.
	Flushes float64
}

// Run loads the server with rate messages a second for the warm-up and length. The result may show that the server did
// not keep up; the error is for runs that show nothing.
func (s *Session) Run(ctx context.Context, rate float64, length time.Duration) (*Measurement, error) {
	whole := s.plan.Warmup + length
	arrivals := load.Schedule(s.plan.Seed, rate, whole, s.plan.Rooms)
	ledger := load.NewLedger(s.next, len(arrivals), s.plan.Now)
	s.next += int64(len(arrivals))
	s.ledgers = append(s.ledgers, ledger)
	s.current.Store(ledger)
	run := &load.Run{
		Rate: rate, Arrivals: arrivals, Length: whole, Warmup: s.plan.Warmup, Ledger: ledger,
		Send: func(room int, n int64) error { return s.party.Visitors[room].Send(n) },
	}
	sampler := s.startSampler(ctx, ledger)
	cutShort, err := run.Do(ctx)
	samples, samplingErr := sampler.stop()
	if err := errors.Join(err, samplingErr, s.losses()); err != nil {
		return nil, fmt.Errorf("at %.0f messages/s: %w", rate, err)
	}
	m := &Measurement{Result: run.Result(cutShort)}
	m.account(samples)
	return m, nil
}

// account works out costs per acknowledgement from samples of the part that counts.
func (m *Measurement) account(samples []sample) {
	for i := 1; i < len(samples); i++ {
		if acks := samples[i].acks - samples[i-1].acks; acks > 0 {
			m.CPUSlices = append(m.CPUSlices, perThousand(samples[i].cpu-samples[i-1].cpu, acks))
		}
	}
	if len(samples) < 2 {
		return
	}
	first, last := samples[0], samples[len(samples)-1]
	if acks := last.acks - first.acks; acks > 0 {
		m.CPU = perThousand(last.cpu-first.cpu, acks)
		m.DatabaseCPU = perThousand(last.database-first.database, acks)
		m.Flushes = float64(last.flushes-first.flushes) / float64(acks)
	}
}

func perThousand(cpu time.Duration, acks int64) float64 {
	const thousand = 1000
	return cpu.Seconds() * thousand / float64(acks)
}
