// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
)

// AckLimit is how long an acknowledgement may take at p99 for a rate to count as sustained.
const AckLimit = 50 * time.Millisecond

const (
	// growth is the step of the way up, halvings how often the last step is halved: 1.5 and 3 find the knee to 5 %.
	growth   = 1.5
	halvings = 3
	// attempts tells a limit from a hiccup: a rate is given up when it fails that often in a row.
	attempts = 2
	// mostSteps ends a search that goes nowhere.
	mostSteps = 30
)

// Knee is the highest rate sustained.
type Knee struct {
	// Best is the run at that rate, nil if none was sustained.
	Best *Measurement
	// Limit says why the next rate was not.
	Limit string
	Steps int
}

// Knee looks for the highest rate at which acknowledgements stay within AckLimit at p99: up in large steps, then closer
// in small ones.
func (s *Session) Knee(ctx context.Context, from float64, step time.Duration) (Knee, error) {
	var k Knee
	search := kneeSearch{rate: from, low: 0, high: math.Inf(1)}
	for !search.done() && k.Steps < mostSteps {
		m, limit, err := s.try(ctx, search.rate, step, &k.Steps)
		if err != nil {
			return k, err
		}
		if limit == "" {
			k.Best = m
		} else {
			k.Limit = limit
		}
		search.learn(limit == "")
	}
	return k, nil
}

// try runs at one rate and says what, if anything, was not sustained.
func (s *Session) try(
	ctx context.Context, rate float64, step time.Duration, steps *int,
) (m *Measurement, limit string, err error) {
	for range attempts {
		*steps++
		if m, err = s.Run(ctx, rate, step); err != nil {
			return nil, "", err
		}
		if limit = m.shortfall(s.plan.MaxLag); limit == "" {
			break
		}
	}
	return m, limit, nil
}

// shortfall says why a rate does not count as sustained, "" if it does.
func (m *Measurement) shortfall(maxLag time.Duration) string {
	var lag *load.LagError
	switch err := m.CheckLag(maxLag); {
	case m.CutShort:
		return "fell behind"
	case m.Refused > 0:
		return fmt.Sprintf("refused messages: %v", m.Refusals)
	case m.Unanswered > 0:
		return "left messages unanswered"
	case m.Undelivered > 0:
		return "did not deliver"
	case errors.As(err, &lag):
		return "the machine is full: the generator lags too"
	case load.Quantile(m.Ack, 99) > AckLimit:
		return "ack p99 beyond 50 ms"
	}
	return ""
}

// kneeSearch narrows down a limit between what held and what did not.
type kneeSearch struct {
	rate, low, high float64
	halved          int
}

func (k *kneeSearch) learn(held bool) {
	if held {
		k.low = k.rate
	} else {
		k.high = k.rate
	}
	switch {
	case math.IsInf(k.high, 1):
		k.rate = k.low * growth
	case k.low == 0:
		k.rate = k.high / growth
	default:
		k.halved++
		k.rate = math.Sqrt(k.low * k.high)
	}
}

// done is true once the last step was halved often enough, or nothing holds at all.
func (k *kneeSearch) done() bool { return k.halved > halvings || k.rate < 1 }
