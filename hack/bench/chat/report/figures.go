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

// at picks the run at the i-th of the equal rates.
func at(i int) func(*trial.Block) *trial.Measurement {
	return func(b *trial.Block) *trial.Measurement { return b.Equal[i] }
}

func tenth(b *trial.Block) *trial.Measurement { return b.Tenth }

func knee(b *trial.Block) *trial.Measurement { return b.Knee.Best }

type pick = func(*trial.Block) *trial.Measurement

// millis is a quantile of a run, NaN without one.
func millis(run pick, of func(*trial.Measurement) *hdrhistogram.Histogram, q float64) func(*trial.Block) float64 {
	return figure(run, func(m *trial.Measurement) float64 {
		return float64(load.Quantile(of(m), q)) / float64(time.Millisecond)
	})
}

func figure(run pick, of func(*trial.Measurement) float64) func(*trial.Block) float64 {
	return func(b *trial.Block) float64 {
		if m := run(b); m != nil {
			return of(m)
		}
		return math.NaN()
	}
}

func ackOf(m *trial.Measurement) *hdrhistogram.Histogram      { return m.Ack }
func deliveryOf(m *trial.Measurement) *hdrhistogram.Histogram { return m.Delivery }
func afterOf(m *trial.Measurement) *hdrhistogram.Histogram    { return m.After }

func cpuOf(m *trial.Measurement) float64        { return m.CPU }
func databaseOf(m *trial.Measurement) float64   { return m.DatabaseCPU }
func flushesOf(m *trial.Measurement) float64    { return m.Flushes }
func throughputOf(m *trial.Measurement) float64 { return m.Throughput }

// one makes a list of a single figure, none if there is none.
func one(figure func(*trial.Block) float64) func(*trial.Block) []float64 {
	return func(b *trial.Block) []float64 {
		if v := figure(b); !math.IsNaN(v) {
			return []float64{v}
		}
		return nil
	}
}

// slices lists a figure for every second of a run.
func slices(run pick, of func(load.Slice) time.Duration) func(*trial.Block) []float64 {
	return func(b *trial.Block) []float64 {
		var out []float64
		for _, s := range run(b).Slices {
			out = append(out, float64(of(s)))
		}
		return out
	}
}

func cpuSlices(run pick) func(*trial.Block) []float64 {
	return func(b *trial.Block) []float64 { return run(b).CPUSlices }
}
