// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
	"github.com/chattenant/chattenant/hack/bench/chat/trial"
)

// weather measures what the return of a crowd does to everyone else.
func weather(ctx context.Context, o *options, plan *trial.Plan, out io.Writer) error {
	name := o.targets[0]
	t, err := o.find(name)
	if err != nil {
		return err
	}
	weather := trial.Weather{People: o.storm, Rate: o.rates[0], Length: o.length}
	if o.profiles != "" {
		weather.Profile = filepath.Join(o.profiles, name+".storm.pprof")
	}
	storm, err := trial.MeasureStorm(ctx, plan, name, t, weather)
	if err != nil {
		return err
	}
	calm, stormy := load.Quantile(storm.Calm.Ack, tail), load.Quantile(storm.Stormy.Ack, tail)
	fmt.Fprintf(out, "%s: %d clients cut off at once were all back after %v, with %d failed attempts.\n",
		name, storm.People, storm.Returned.Took.Round(time.Millisecond), storm.Returned.Failures)
	if storm.Returned.Failures > 0 {
		fmt.Fprintf(out, "One of these: %s\n", storm.Returned.Failure)
	}
	fmt.Fprintf(out, "Meanwhile %d others sent %.0f messages/s: ack p99 %v instead of %v, %.1f times as long; "+
		"p50 %v instead of %v.\n", plan.Rooms, o.rates[0], stormy, calm, float64(stormy)/float64(calm),
		load.Quantile(storm.Stormy.Ack, middle), load.Quantile(storm.Calm.Ack, middle))
	fmt.Fprint(out, "Ack p99 of each second, in milliseconds:")
	for _, second := range storm.Stormy.Slices {
		fmt.Fprintf(out, " %.0f", float64(second.AckP99)/float64(time.Millisecond))
	}
	fmt.Fprintf(out, "\nRefused %d, unanswered %d. The load generator's own delay, p99: %v instead of %v.\n",
		storm.Stormy.Refused, storm.Stormy.Unanswered,
		load.Quantile(storm.Stormy.Lag, tail), load.Quantile(storm.Calm.Lag, tail))
	return nil
}

const (
	middle = 50
	tail   = 99
)
