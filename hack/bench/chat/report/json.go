// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

// document is the report's form for programs: durations in milliseconds, what is missing left out.
type document struct {
	Started string  `json:"started"`
	Subject string  `json:"subject"`
	Rooms   int     `json:"rooms"`
	Seed    uint64  `json:"seed"`
	Flush   float64 `json:"flushMilliseconds"`
	Blocks  []block `json:"blocks"`
	// IdlePlain are live bytes per connection without TLS.
	IdlePlain map[string]float64 `json:"idleLiveBytesWithoutTLS"`
}

type block struct {
	Target       string  `json:"target"`
	IdleLive     float64 `json:"idleLiveBytes"`
	IdleResident float64 `json:"idleResidentBytes"`
	Rows         int     `json:"rows"`
	Equal        []*run  `json:"equalRates"`
	Knee         *run    `json:"knee,omitempty"`
	KneeLimit    string  `json:"kneeLimit,omitempty"`
	Tenth        *run    `json:"tenthOfKnee,omitempty"`
}

type run struct {
	Rate          float64   `json:"rate"`
	Throughput    float64   `json:"acksPerSecond"`
	Sent          int64     `json:"sent"`
	Acked         int64     `json:"acked"`
	Refused       int64     `json:"refused"`
	Unanswered    int64     `json:"unanswered"`
	Undelivered   int64     `json:"undelivered"`
	CutShort      bool      `json:"cutShort"`
	Ack           quantiles `json:"ackMilliseconds"`
	Delivery      quantiles `json:"deliveryMilliseconds"`
	After         quantiles `json:"deliveryAfterAckMilliseconds"`
	Lag           quantiles `json:"generatorLagMilliseconds"`
	CPU           float64   `json:"cpuSecondsPerThousand"`
	DatabaseCPU   float64   `json:"databaseCPUSecondsPerThousand"`
	FlushesPerAck float64   `json:"walFlushesPerAck"`
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func (r *Report) document() document {
	d := document{
		Started: r.Started.UTC().Format(time.RFC3339), Subject: r.Subject, Rooms: r.Rooms, Seed: r.Seed,
		Flush: inMillis(r.Flush), IdlePlain: map[string]float64{},
	}
	for name, idle := range r.Plain {
		d.IdlePlain[name] = math.Round(idle.Live)
	}
	for _, b := range r.Blocks {
		out := block{
			Target: b.Target, IdleLive: math.Round(b.Idle.Live), IdleResident: math.Round(b.Idle.Resident), Rows: b.Rows,
			Knee: runOf(b.Knee.Best), KneeLimit: b.Knee.Limit, Tenth: runOf(b.Tenth),
		}
		for _, m := range b.Equal {
			out.Equal = append(out.Equal, runOf(m))
		}
		d.Blocks = append(d.Blocks, out)
	}
	return d
}

func runOf(m *trial.Measurement) *run {
	if m == nil {
		return nil
	}
	return &run{
		Rate: m.Rate, Throughput: m.Throughput, Sent: m.Sent, Acked: m.Acked, Refused: m.Refused,
		Unanswered: m.Unanswered, Undelivered: m.Undelivered, CutShort: m.CutShort,
		Ack: quantilesOf(m.Ack), Delivery: quantilesOf(m.Delivery), After: quantilesOf(m.After), Lag: quantilesOf(m.Lag),
		CPU: m.CPU, DatabaseCPU: m.DatabaseCPU, FlushesPerAck: m.Flushes,
	}
}

func quantilesOf(h *hdrhistogram.Histogram) quantiles {
	q := func(p float64) float64 { return inMillis(load.Quantile(h, p)) }
	return quantiles{P50: q(50), P90: q(90), P99: q(99), Max: q(100)}
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
