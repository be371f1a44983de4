// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
	"github.com/chattenant/chattenant/hack/bench/chat/stats"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

// Print writes the tables.
func (r *Report) Print(out io.Writer) {
	fmt.Fprintf(out, "Started %s, load average now %s. %d rooms, seed %d, %d-byte messages.\n"+
		"One flush of this disk takes %v (pg_test_fsync, fdatasync).\n",
		r.Started.Format(time.RFC3339), Load(), r.Rooms, r.Seed, target.BodySize, r.Flush)
	fmt.Fprintln(out, "Medians over blocks. Latencies in milliseconds from when a message was due. After every block\n"+
		"the database held exactly what was acknowledged; servers started elsewhere are not audited.")
	for i, rate := range r.Rates {
		r.printRun(out, fmt.Sprintf("At %.0f messages/s", rate), at(i))
	}
	if r.searched() {
		r.printKnee(out)
		r.printRun(out, "At a tenth of each one's own knee", tenth)
	}
	r.printIdle(out)
	r.printRatios(out)
	fmt.Fprintf(out, "\n%s", r.Fsync)
}

func (r *Report) searched() bool {
	for _, b := range r.Blocks {
		if b.Knee.Steps > 0 {
			return true
		}
	}
	return false
}

func table(out io.Writer, title string, rows func(w io.Writer)) {
	fmt.Fprintf(out, "\n%s\n", title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	rows(w)
	_ = w.Flush() // Errors of out are its owner's.
}

func (r *Report) printRun(out io.Writer, title string, run pick) {
	table(out, title, func(w io.Writer) {
		fmt.Fprintln(w, "target\tacks/s\tack p50\tack p99\tdelivery p50\tdelivery p99\tafter ack p99\t"+
			"CPU s/1000\tPostgreSQL's\tWAL flushes/ack\trefused\tnot kept up\tlag p99\t")
		for _, name := range r.names() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name,
				number(r.median(name, figure(run, throughputOf)), 0),
				number(r.median(name, millis(run, ackOf, 50)), 2), number(r.median(name, millis(run, ackOf, 99)), 2),
				number(r.median(name, millis(run, deliveryOf, 50)), 2),
				number(r.median(name, millis(run, deliveryOf, 99)), 2),
				number(r.median(name, millis(run, afterOf, 99)), 2),
				number(r.median(name, figure(run, cpuOf)), 3), number(r.median(name, figure(run, databaseOf)), 3),
				number(r.median(name, figure(run, flushesOf)), 3),
				number(r.median(name, figure(run, func(m *trial.Measurement) float64 { return float64(m.Refused) })), 0),
				number(r.median(name, figure(run, behind)), 0),
				number(r.median(name, figure(run, lag)), 2))
		}
	})
}

func behind(m *trial.Measurement) float64 {
	if m.CutShort {
		return 1
	}
	return 0
}

func lag(m *trial.Measurement) float64 {
	return float64(load.Quantile(m.Lag, 99)) / float64(time.Millisecond)
}

func (r *Report) printKnee(out io.Writer) {
	table(out, "Highest rate with ack p99 within 50 ms", func(w io.Writer) {
		fmt.Fprintln(w, "target\tacks/s\tack p99\tWAL flushes/ack\tCPU s/1000\tthe next rate\t")
		for _, name := range r.names() {
			limit := ""
			for _, b := range r.Blocks {
				if b.Target == name {
					limit = b.Knee.Limit
				}
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t\n", name, number(r.median(name, figure(knee, throughputOf)), 0),
				number(r.median(name, millis(knee, ackOf, 99)), 2), number(r.median(name, figure(knee, flushesOf)), 3),
				number(r.median(name, figure(knee, cpuOf)), 3), limit)
		}
	})
}

func (r *Report) printIdle(out io.Writer) {
	table(out, "Bytes of the server per idle connection", func(w io.Writer) {
		fmt.Fprintln(w, "target\tlive\tof that stacks\tresident\tlive without TLS\t")
		for _, name := range r.names() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", name,
				number(r.median(name, func(b *trial.Block) float64 { return b.Idle.Live }), 0),
				number(r.median(name, func(b *trial.Block) float64 { return b.Idle.Stacks }), 0),
				number(r.median(name, func(b *trial.Block) float64 { return b.Idle.Resident }), 0), r.plain(name))
		}
	})
}

// floor is the target that shows what TLS adds to a connection.
const floor = "pipe"

// plain is what a connection takes without TLS: measured, or derived from what TLS adds to the pipe's.
func (r *Report) plain(name string) string {
	if idle, ok := r.Plain[name]; ok {
		return number(idle.Live, 0)
	}
	idle, ok := r.Plain[floor]
	if !ok {
		return "-"
	}
	live := func(b *trial.Block) float64 { return b.Idle.Live }
	return number(r.median(name, live)-(r.median(floor, live)-idle.Live), 0) + " (derived)"
}

func (r *Report) printRatios(out io.Writer) {
	if len(r.names()) < 2 {
		return
	}
	table(out, r.Subject+" as a multiple of, with 95 % intervals", func(w io.Writer) {
		fmt.Fprintln(w, "other\tof\tratio\tlow\thigh\tsamples\t")
		for _, name := range r.names()[1:] {
			if r.searched() {
				printRatio(w, name, "acks/s at the knee", r.ratio(name, one(figure(knee, throughputOf))))
			}
			for i, rate := range r.Rates {
				suffix := fmt.Sprintf(" at %.0f/s", rate)
				printRatio(w, name, "ack p50"+suffix, r.ratio(name, slices(at(i), ackP50)))
				printRatio(w, name, "ack p99"+suffix, r.ratio(name, slices(at(i), ackP99)))
				printRatio(w, name, "delivery p99"+suffix, r.ratio(name, slices(at(i), deliveryP99)))
				printRatio(w, name, "CPU per message"+suffix, r.ratio(name, cpuSlices(at(i))))
			}
		}
	})
}

func ackP50(s load.Slice) time.Duration      { return s.AckP50 }
func ackP99(s load.Slice) time.Duration      { return s.AckP99 }
func deliveryP99(s load.Slice) time.Duration { return s.DeliveryP99 }

func printRatio(w io.Writer, other, of string, ratio stats.Ratio) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t\n", other, of,
		number(ratio.Value, 2), number(ratio.Low, 2), number(ratio.High, 2), ratio.Samples)
}

// number is a figure with that many decimals, - if there is none.
func number(v float64, decimals int) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, v)
}
