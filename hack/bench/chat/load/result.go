// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// Latencies are kept in microseconds, to three digits.
	highest = int64(time.Hour / time.Microsecond)
	digits  = 3
)

// Result is what a run showed. Latencies count from when a message was due and leave out the warm-up; a message that
// was not acknowledged counts as the slowest possible.
type Result struct {
	Rate                             float64
	Sent, Acked, Refused, Unanswered int64
	Undelivered, Strays              int64
	Refusals                         map[string]int
	// CutShort says that the server fell behind and the rest was not sent.
	CutShort bool
	// Throughput is acknowledgements a second of the part that counts.
	Throughput                float64
	Ack, Delivery, After, Lag *hdrhistogram.Histogram
	// Slices are the seconds of the part that counts.
	Slices []Slice
}

// Slice is one second of a run.
type Slice struct{ AckP50, AckP99, DeliveryP50, DeliveryP99 time.Duration }

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, highest, digits) }

// Quantile of a histogram, q in percent.
func Quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtPercentile(q)) * time.Microsecond
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(highest, max(1, d.Microseconds()))) // In range by construction.
}

// Result evaluates the run.
func (r *Run) Result(cutShort bool) *Result {
	l := r.Ledger
	out := &Result{
		Rate: r.Rate, Sent: l.sent.Load(), Acked: l.acked.Load(), Refused: l.refused.Load(), Unanswered: l.waiting(),
		Undelivered: l.acked.Load() - l.delivered.Load(), Strays: l.strays.Load(), CutShort: cutShort,
		Ack: newHistogram(), Delivery: newHistogram(), After: newHistogram(), Lag: newHistogram(),
	}
	l.mu.Lock()
	out.Refusals = maps.Clone(l.refusals)
	l.mu.Unlock()
	slices := newSlicer(r)
	var last time.Duration
	counted := 0
	for i, a := range r.Arrivals {
		line := &l.lines[i]
		if a.At < r.Warmup || line.sent.Load() == 0 {
			continue
		}
		record(out.Lag, time.Duration(line.sent.Load())-a.At)
		ack, delivery := out.latency(line, a.At)
		slices.add(a.At, ack, delivery)
		if acked := time.Duration(line.acked.Load()); acked > 0 {
			counted++
			last = max(last, acked)
		}
	}
	if last > r.Warmup {
		out.Throughput = float64(counted) / (last - r.Warmup).Seconds()
	}
	out.Slices = slices.finish()
	return out
}

// latency records one message.
func (out *Result) latency(line *line, due time.Duration) (ack, delivery time.Duration) {
	acked, delivered := time.Duration(line.acked.Load()), time.Duration(line.delivered.Load())
	ack, delivery = time.Hour, time.Hour
	if acked > 0 {
		ack = acked - due
	}
	if delivered > 0 {
		delivery = delivered - due
	}
	record(out.Ack, ack)
	record(out.Delivery, delivery)
	if acked > 0 && delivered > 0 {
		record(out.After, max(0, delivered-acked))
	}
	return ack, delivery
}

// slicer sorts messages into the seconds they were due in.
type slicer struct {
	warmup        time.Duration
	ack, delivery []*hdrhistogram.Histogram
}

func newSlicer(r *Run) *slicer {
	s := &slicer{warmup: r.Warmup}
	for range int((r.Length - r.Warmup) / time.Second) {
		s.ack, s.delivery = append(s.ack, newHistogram()), append(s.delivery, newHistogram())
	}
	return s
}

func (s *slicer) add(at, ack, delivery time.Duration) {
	if i := int((at - s.warmup) / time.Second); i < len(s.ack) {
		record(s.ack[i], ack)
		record(s.delivery[i], delivery)
	}
}

func (s *slicer) finish() []Slice {
	var out []Slice
	for i := range s.ack {
		if s.ack[i].TotalCount() > 0 {
			out = append(out, Slice{
				AckP50: Quantile(s.ack[i], 50), AckP99: Quantile(s.ack[i], 99),
				DeliveryP50: Quantile(s.delivery[i], 50), DeliveryP99: Quantile(s.delivery[i], 99),
			})
		}
	}
	return out
}

// LagError says that the generator, not the server, was late: the run says nothing about the server.
type LagError struct{ P99, Limit time.Duration }

// Error implements error.
func (e *LagError) Error() string {
	return fmt.Sprintf("the load generator lagged behind its own schedule: p99 %v, more than %v; the figures would be"+
		" its own, not the server's", e.P99, e.Limit)
}

// CheckLag returns a LagError if the p99 of the generator's own delay is beyond limit.
func (out *Result) CheckLag(limit time.Duration) error {
	if p99 := Quantile(out.Lag, 99); p99 > limit {
		return &LagError{P99: p99, Limit: limit}
	}
	return nil
}
