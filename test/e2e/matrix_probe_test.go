// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chattenant/chattenant/test/e2e/reach"
)

const (
	// closedPatience is how long a connection that must fail may try: long enough for a lost first packet to be sent
	// again, after a second.
	closedPatience = 2500 * time.Millisecond
	// openPatience is how long one that must work may take on a busy machine.
	openPatience = 15 * time.Second
	// probesAtATime bounds the threads and sockets in use. Most probes wait for packets that were dropped.
	probesAtATime = 128
)

// probe is one pair of the matrix and what became of it.
type probe struct {
	from    source
	to      target
	verdict reach.Verdict
}

// pairs are all combinations except those of a source with itself.
func pairs(sources []source, targets []target) []probe {
	var all []probe
	for _, from := range sources {
		for _, to := range targets {
			if !slices.Contains(from.own, to.address.Addr()) {
				all = append(all, probe{from: from, to: to})
			}
		}
	}
	return all
}

// wanted says what must become of the probe.
func (p *probe) wanted() bool { return allowed(p.from.peer, p.to.peer, p.to.address.Port()) }

func (p *probe) asWanted() bool { return p.wanted() == (p.verdict == reach.Open) }

func (p *probe) String() string {
	return fmt.Sprintf("%s (%s) -> %s %s %s %s: %s", p.from.name, p.from.component, p.to.tenant, p.to.component,
		p.to.network, p.to.address, p.verdict)
}

// tryAll makes every probe. One that cannot even be made fails the test: it is no proof of anything.
func tryAll(t *testing.T, probes []probe) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(probesAtATime)
	for i := range probes {
		p := &probes[i]
		group.Go(func() error {
			within := closedPatience
			if p.wanted() {
				within = openPatience
			}
			var err error
			if p.verdict, err = p.from.try(ctx, p.to, within); err != nil {
				return fmt.Errorf("from %s: %w", p.from.name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// try attempts a connection, to a link-local address on each of the source's links.
func (s *source) try(ctx context.Context, to target, within time.Duration) (reach.Verdict, error) {
	verdict, err := reach.Unreachable, error(nil)
	for _, address := range s.routes(to.address) {
		verdict, err = reach.Try(ctx, s.net.DialContext, reach.Target{Network: to.network, Address: address}, within)
		if err != nil || verdict == reach.Open {
			return verdict, err
		}
	}
	return verdict, nil
}

func (s *source) routes(to netip.AddrPort) []netip.AddrPort {
	if !to.Addr().IsLinkLocalUnicast() || to.Addr().Is4() {
		return []netip.AddrPort{to}
	}
	var routes []netip.AddrPort
	for _, device := range s.devices {
		routes = append(routes, netip.AddrPortFrom(to.Addr().WithZone(device), to.Port()))
	}
	return routes
}
