// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	targets  []string
	rates    []float64
	rooms    int
	rounds   int
	length   time.Duration
	step     time.Duration
	kneeFrom float64
	maxLag   time.Duration
	seed     uint64
	dir      string
	settings string
	jsonFile string
	profiles string
	plain    bool
	storm    int
	serve    string
	crowd    string
	// These are of servers elsewhere.
	centrifugo, centrifugoToken, tinode, tinodeKey string
}

const (
	defaultSeconds = 10
	defaultRooms   = 1000
	// mostRooms fit the addresses that visitors come from and what a server's limiter remembers.
	mostRooms = 4000
	// mostAddresses is how many clients the server has room for.
	mostAddresses = 16_000
	// messagesPerVisitor a second are what the product allows in the long run.
	messagesPerVisitor = 5
	shortestStep       = 3 * time.Second
)

func parse(args []string, out io.Writer) (*options, error) {
	o := &options{}
	var targets, rates string
	var seconds int
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&targets, "targets", "chattenant,pipe,naive,centrifuge", "what to measure; the first is compared")
	flags.StringVar(&rates, "rates", "200,1000", "messages a second that every target is given alike")
	flags.IntVar(&o.rooms, "rooms", defaultRooms, "rooms, each with a visitor")
	flags.IntVar(&o.rounds, "rounds", 1, "how often to go through the targets and back")
	flags.IntVar(&seconds, "seconds", defaultSeconds, "length of a run at one rate; a step of the search takes half")
	flags.Float64Var(&o.kneeFrom, "knee-from", 500, "rate at which the search for the knee begins, 0: no search")
	flags.DurationVar(&o.maxLag, "max-lag", 5*time.Millisecond, "fail if the generator is later than that, at p99")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the schedule and of the intervals")
	flags.StringVar(&o.dir, "dir", "", "folder for the database, on the disk to be measured")
	flags.StringVar(&o.settings, "settings", "../../controllers/desired/postgres/postgresql.conf", "PostgreSQL settings")
	flags.StringVar(&o.jsonFile, "json", "", "also write the figures as JSON to this file")
	flags.StringVar(&o.profiles, "profiles", "", "folder for profiles: CPU at the highest rate, idle heap")
	flags.StringVar(&o.centrifugo, "centrifugo", "", "URL of a Centrifugo server, ws://host:8000/connection/websocket")
	flags.StringVar(&o.centrifugoToken, "centrifugo-token-file", "", "file with a connection token for it")
	flags.StringVar(&o.tinode, "tinode", "", "URL of a Tinode server, ws://host:6060/v0/channels")
	flags.StringVar(&o.tinodeKey, "tinode-key", "", "API key for it; not a secret, every client has it")
	flags.BoolVar(&o.plain, "plain", false, "no TLS to the servers; the product cannot be measured so")
	flags.IntVar(&o.storm, "storm", 0, "instead: what so many clients that come back at once do to the others; 0: none")
	flags.StringVar(&o.serve, "serve", "", "for this program's own use: be the server of that target")
	flags.StringVar(&o.crowd, "crowd", "", "for this program's own use: be a crowd of clients of that target")
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	o.length = time.Duration(seconds) * time.Second
	o.step = max(shortestStep, o.length/2)
	o.targets = strings.Split(targets, ",")
	for _, text := range slices.DeleteFunc(strings.Split(rates, ","), func(s string) bool { return s == "" }) {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("--rates: %w", err)
		}
		o.rates = append(o.rates, rate)
	}
	if o.serve != "" || o.crowd != "" {
		return o, nil
	}
	return o, o.validate()
}

func (o *options) validate() error {
	var errs []error
	if o.rooms < 1 || o.rooms > mostRooms {
		errs = append(errs, fmt.Errorf("--rooms: want 1 to %d", mostRooms))
	}
	if o.length < time.Second || o.rounds < 1 {
		errs = append(errs, errors.New("--seconds, --rounds: want at least 1"))
	}
	if o.storm < 0 || o.storm+o.rooms > mostAddresses || (o.storm > 0 && len(o.rates) == 0) {
		errs = append(errs, fmt.Errorf("--storm: want a rate, and with --rooms at most %d", mostAddresses))
	}
	for _, rate := range o.rates {
		if rate <= 0 || rate > float64(o.rooms*messagesPerVisitor) {
			errs = append(errs, fmt.Errorf("--rates: a visitor may send %d messages a second: %g takes more rooms",
				messagesPerVisitor, rate))
		}
	}
	for _, name := range o.targets {
		if _, err := o.find(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
