// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/hack/bench/chat/stats"
)

func TestTheRatioOfTheSameIsOne(t *testing.T) {
	blocks := [][]float64{{2, 2}, {2, 2, 2}}
	want := stats.Ratio{Value: 1, Low: 1, High: 1, Samples: 5}
	if diff := cmp.Diff(want, stats.RatioOf(1, blocks, blocks)); diff != "" {
		t.Error(diff)
	}
}

// sample draws blocks of log-normal values around median, each block with a shift of its own.
func sample(source *rand.Rand, median, spread, shift float64, blocks, within int) [][]float64 {
	out := make([][]float64, blocks)
	for i := range out {
		center := math.Log(median) + shift*source.NormFloat64()
		for range within {
			out[i] = append(out[i], math.Exp(center+spread*source.NormFloat64()))
		}
	}
	return out
}

func TestTheIntervalHoldsTheTruthAboutAsOftenAsItClaims(t *testing.T) {
	const trials, truth = 200, 3.0
	source := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // Must repeat, hides nothing.
	held := 0
	for i := range trials {
		r := stats.RatioOf(uint64(i), sample(source, 3, 0.3, 0.1, 8, 10), sample(source, 1, 0.3, 0.1, 8, 10))
		if r.Low <= truth && truth <= r.High {
			held++
		}
	}
	// 95 % less what eight blocks cost a percentile bootstrap, with room for chance.
	if share := float64(held) / trials; share < 0.85 || share == 1 {
		t.Errorf("%.2f of the intervals hold the truth", share)
	}
}

func TestBlocksThatDifferWidenTheInterval(t *testing.T) {
	source := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // Must repeat, hides nothing.
	base := sample(source, 1, 0.1, 0, 4, 20)
	calm := stats.RatioOf(1, sample(source, 1, 0.1, 0, 4, 20), base)
	rough := stats.RatioOf(1, sample(source, 1, 0.1, 0.8, 4, 20), base)
	if rough.High/rough.Low < 2*calm.High/calm.Low {
		t.Errorf("calm %+v, rough %+v", calm, rough)
	}
}

func TestWithoutValuesThereIsNoRatio(t *testing.T) {
	if r := stats.RatioOf(1, nil, [][]float64{{0, -1}}); !math.IsNaN(r.Value) {
		t.Errorf("%+v", r)
	}
}

func TestMirroredOrder(t *testing.T) {
	if diff := cmp.Diff([]string{"A", "B", "B", "A"}, stats.Mirrored([]string{"A", "B"}, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1}, stats.Mirrored([]int{1, 2, 3}, 2)); diff != "" {
		t.Error(diff)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{2: {3, 1, 2}, 2.5: {4, 1, 2, 3}, 7: {7}} {
		if got := stats.Median(values); got != want {
			t.Errorf("the median of %v is %g", values, got)
		}
	}
	if got := stats.Median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %g", got)
	}
}
