// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package stats compares repeated measurements.
package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Ratio is how many times one thing is another, with the interval that holds the truth with 95 % confidence.
type Ratio struct {
	Value, Low, High float64
	// Samples is the smaller number of measurements behind it.
	Samples int
}

const (
	resamples  = 4000
	confidence = 0.95
)

// RatioOf compares the geometric means of two sets of blocks by a bootstrap in two stages: blocks are drawn again, then
// the measurements within each. So what differs from block to block (a neighbour on the disk, say) widens the interval.
// Values that are not positive are left out. The same seed gives the same interval.
func RatioOf(seed uint64, a, b [][]float64) Ratio {
	la, lb := logs(a), logs(b)
	if len(la) == 0 || len(lb) == 0 {
		return Ratio{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	source := rand.New(rand.NewPCG(seed, resamples)) //nolint:gosec // Must repeat, hides nothing.
	estimates := make([]float64, resamples)
	for i := range estimates {
		estimates[i] = math.Exp(resample(source, la) - resample(source, lb))
	}
	slices.Sort(estimates)
	tail := (1 - confidence) / 2
	return Ratio{
		Value: math.Exp(mean(means(la)) - mean(means(lb))), Low: quantile(estimates, tail),
		High: quantile(estimates, 1-tail), Samples: min(count(la), count(lb)),
	}
}

func logs(blocks [][]float64) [][]float64 {
	var out [][]float64
	for _, block := range blocks {
		var kept []float64
		for _, v := range block {
			if v > 0 && !math.IsInf(v, 0) {
				kept = append(kept, math.Log(v))
			}
		}
		if len(kept) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

func resample(source *rand.Rand, blocks [][]float64) float64 {
	sum := 0.0
	for range blocks {
		block := blocks[source.IntN(len(blocks))]
		within := 0.0
		for range block {
			within += block[source.IntN(len(block))]
		}
		sum += within / float64(len(block))
	}
	return sum / float64(len(blocks))
}

func means(blocks [][]float64) []float64 {
	out := make([]float64, len(blocks))
	for i, block := range blocks {
		out[i] = mean(block)
	}
	return out
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func count(blocks [][]float64) int {
	n := 0
	for _, block := range blocks {
		n += len(block)
	}
	return n
}

// quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

// Median of values, NaN of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Mirrored is the order of blocks: every name once, then once more backwards, rounds times. For two names that is
// A-B-B-A. What drifts steadily during the measurement falls on all of them alike.
func Mirrored[T any](names []T, rounds int) []T {
	var out []T
	for range rounds {
		out = append(out, names...)
		for i := range names {
			out = append(out, names[len(names)-1-i])
		}
	}
	return out
}
