// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

// measured is a run whose every latency is millis.
func measured(millis int64, cpu float64) *trial.Measurement {
	h := hdrhistogram.New(1, time.Hour.Microseconds(), 3)
	_ = h.RecordValue(millis * 1000)
	d := time.Duration(millis) * time.Millisecond
	return &trial.Measurement{
		Result: &load.Result{
			Rate: 100, Throughput: 100, Ack: h, Delivery: h, After: h, Lag: h,
			Slices: []load.Slice{{AckP50: d, AckP99: d, DeliveryP50: d, DeliveryP99: d}},
		},
		CPU: cpu, CPUSlices: []float64{cpu}, Flushes: 0.5,
	}
}

func newReport() *Report {
	return &Report{
		Subject: "a", Rates: []float64{100}, Rooms: 3, Seed: 1, Plain: map[string]trial.Footprint{"pipe": {Live: 1000}},
		Blocks: []*trial.Block{
			{Target: "a", Equal: []*trial.Measurement{measured(6, 0.3)}, Idle: trial.Footprint{Live: 9000}},
			{Target: "pipe", Equal: []*trial.Measurement{measured(2, 0.1)}, Idle: trial.Footprint{Live: 4000}},
			{Target: "pipe", Equal: []*trial.Measurement{measured(2, 0.1)}, Idle: trial.Footprint{Live: 4000}},
			{
				Target: "a", Equal: []*trial.Measurement{measured(6, 0.3)}, Idle: trial.Footprint{Live: 9000},
				Knee: trial.Knee{Steps: 2, Limit: "fell behind"},
			},
		},
	}
}

func TestTheTablesSayWhatWasMeasured(t *testing.T) {
	var out bytes.Buffer
	newReport().Print(&out)
	for name, pattern := range map[string]string{
		"latency":                        `(?m)^ +a +100 +6\.00 +6\.00 `,
		"ratio of latencies":             `(?m)^ +pipe +ack p50 at 100/s +3\.00 +3\.00 +3\.00 +2`,
		"ratio of costs":                 `(?m)^ +pipe +CPU per message at 100/s +3\.00`,
		"no knee found":                  `(?m)^ +a +- +- +- +- +fell behind`,
		"without TLS, as measured":       `(?m)^ +pipe +4000 +0 +0 +1000$`,
		"without TLS, derived from that": `(?m)^ +a +9000 +0 +0 +6000 \(derived\)`,
	} {
		if !regexp.MustCompile(pattern).Match(out.Bytes()) {
			t.Errorf("%s: nothing matches %s in\n%s", name, pattern, &out)
		}
	}
}

func TestProgramsGetTheSameFigures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	if err := newReport().WriteJSON(file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	run := d.Blocks[0].Equal[0]
	if len(d.Blocks) != 4 || run.Ack.P99 < 5.9 || run.Ack.P99 > 6.1 || run.CPU != 0.3 || d.Blocks[3].Knee != nil {
		t.Errorf("%s", data)
	}
}
