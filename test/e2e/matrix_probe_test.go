// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// closedPatience is how long a connection that must fail may try: long enough for a lost first packet to be sent
	// again, after a second.
	closedPatience = 2500 * time.Millisecond
	// openPatience is how long one that must work may take on a busy machine.
	openPatience = 15 * time.Second
)

// probe is one pair of the matrix and what became of it.
type probe struct {
	from    *source
	to      target
	verdict verdict
}

// combinations are every source with every target.
func combinations(sources []source, targets []target) []probe {
	var all []probe
	for i := range sources {
		for _, to := range targets {
			all = append(all, probe{from: &sources[i], to: to})
		}
	}
	return all
}

// pairs are all combinations but those of a source with itself.
func pairs(sources []source, targets []target) []probe {
	return slices.DeleteFunc(combinations(sources, targets), func(p probe) bool {
		return slices.Contains(p.from.own, p.to.address.Addr())
	})
}

// wanted says what must become of the probe.
func (p *probe) wanted() bool { return allowed(p.from, &p.to) }

func (p *probe) asWanted() bool { return p.wanted() == p.verdict.isOpen() }

func (p *probe) String() string {
	return fmt.Sprintf("%s (%s) -> %s: %s", p.from.name, p.from.component, p.to, p.verdict)
}

// tryAll makes every probe, from all sources at the same time. One that cannot even be made fails the test: it is no
// proof of anything.
func tryAll(t *testing.T, with prober, probes []probe) {
	t.Helper()
	if err := tryEach(t.Context(), with, probes); err != nil {
		t.Fatal(err)
	}
}

func tryEach(ctx context.Context, with prober, probes []probe) error {
	bySource := map[*source][]*probe{}
	for i := range probes {
		p := &probes[i]
		bySource[p.from] = append(bySource[p.from], p)
	}
	group, ctx := errgroup.WithContext(ctx)
	for from, own := range bySource {
		group.Go(func() error {
			outcomes, err := with.try(ctx, from.net, attempts(own))
			if err != nil {
				return fmt.Errorf("from %s: %w", from.name, err)
			}
			settle(own, outcomes)
			return nil
		})
	}
	return group.Wait()
}

// attempts are those that the probes of one source take: one each, but to a link-local address one on every link.
func attempts(probes []*probe) []attempt {
	var all []attempt
	for i, p := range probes {
		for _, address := range p.from.routes(p.to.address) {
			all = append(all, attempt{
				ID:      strconv.Itoa(i) + " " + address.String(),
				Network: p.to.network, Address: address.String(), TimeoutMs: p.patience().Milliseconds(),
			})
		}
	}
	return all
}

func (p *probe) patience() time.Duration {
	if p.wanted() {
		return openPatience
	}
	return closedPatience
}

// settle gives each probe the outcome of its attempts: open if one of them was.
func settle(probes []*probe, outcomes []outcome) {
	for _, p := range probes {
		p.verdict = unreachable
		for range p.from.routes(p.to.address) {
			if !p.verdict.isOpen() {
				p.verdict = outcomes[0].Outcome
			}
			outcomes = outcomes[1:]
		}
	}
}

func (s *source) routes(to netip.AddrPort) []netip.AddrPort {
	if !to.Addr().Is6() || !to.Addr().IsLinkLocalUnicast() {
		return []netip.AddrPort{to}
	}
	var routes []netip.AddrPort
	for _, device := range s.devices {
		routes = append(routes, netip.AddrPortFrom(to.Addr().WithZone(device), to.Port()))
	}
	return routes
}
