// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/egress"
	"github.com/chattenant/chattenant/gateway/socket"
)

const patience = 20 * time.Second

// What the gateway under test is told at first: one recipient, at a public address that only the test's dialler knows.
const (
	mailHost = "api.mailer.example"
	mailAddr = "50.0.0.1"
	mail     = mailHost + ":443"
	crmHost  = "crm.example"
	crmAddr  = "50.0.0.2"
	gateHost = "egress.chat-acme.svc"
)

// gateway is a server under test on a loopback port, with its own DNS and its own internet.
type gateway struct {
	*egress.Server

	addr        string
	ca          *authority
	outsideCA   *authority
	dns         *dnsServer
	outside     *outside
	registry    *prometheus.Registry
	metrics     *egress.Metrics
	credentials *egress.Credentials
	dir         string
	stop        context.CancelFunc
	ended       <-chan error

	mu     sync.Mutex
	logged []string
}

func recipient(name string, endpoints ...string) egressconfig.Recipient {
	r := egressconfig.Recipient{Name: name}
	for _, text := range endpoints {
		endpoint, err := egressconfig.ParseEndpoint(text)
		if err != nil {
			panic(err) // a mistake of the test itself
		}
		r.Endpoints = append(r.Endpoints, endpoint)
	}
	return r
}

// config declares recipients with the default limits, after change has adapted them.
func config(change func(*egressconfig.Limits), recipients ...egressconfig.Recipient) *egressconfig.EgressConfiguration {
	c := egressconfig.New("acme", recipients)
	if change != nil {
		change(&c.Limits)
	}
	return c
}

// startGateway serves the mailer. The test ends by draining it and fails when anything of it keeps running.
func startGateway(tb testing.TB, change func(*egressconfig.Limits)) *gateway {
	tb.Helper()
	return startGatewayWith(tb, change, nil)
}

func startGatewayWith(tb testing.TB, change func(*egressconfig.Limits), adapt func(*egress.Options)) *gateway {
	tb.Helper()
	g := &gateway{
		ca: newAuthority(tb), outsideCA: newAuthority(tb), dns: startDNS(tb), outside: newOutside(),
		registry: prometheus.NewPedanticRegistry(), dir: tb.TempDir(),
	}
	credentials, err := egress.NewCredentials(credentialFiles(tb, g.dir, g.ca.server(tb, gateHost), g.ca))
	if err != nil {
		tb.Fatal(err)
	}
	g.credentials, g.metrics = credentials, egress.NewMetrics(g.registry)
	options := egress.Options{
		TLS: credentials.TLS, Resolver: g.dns.resolver(), Dial: g.outside.dial, Metrics: g.metrics,
		Clock: clock.RealClock{}, Log: g.logger(),
	}
	if adapt != nil {
		adapt(&options)
	}
	g.Server = egress.New(options)
	g.Apply(config(change, recipient("mailer", mail)))
	g.dns.set(mailHost, addresses(mailAddr))
	g.outside.at(mailAddr+":443", startEcho(tb, g.outsideCA, mailHost))
	g.serve(tb)
	return g
}

func (g *gateway) serve(tb testing.TB) {
	tb.Helper()
	listener, err := socket.Listen(tb.Context(), "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	g.addr = listener.Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	g.stop, g.ended = stop, ended
	go func() {
		defer close(ended)
		ended <- g.Serve(ctx, listener)
	}()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Errorf("Serve: %v", err)
		}
		eventually(tb, "no goroutine of the gateway is left", nothingRuns)
	})
	eventually(tb, "the gateway is ready", func() bool { return g.Ready() == nil })
}

func (g *gateway) logger() logr.Logger {
	return funcr.New(func(_, args string) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.logged = append(g.logged, args)
	}, funcr.Options{Verbosity: 10})
}

func (g *gateway) log() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.logged, "\n")
}

// metric reads one series, zero when there is none.
func (g *gateway) metric(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	value, _ := g.series(tb, name, labels...)
	return value
}

func (g *gateway) series(tb testing.TB, name string, labels ...string) (float64, bool) {
	tb.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "chattenant_egress_"+name {
			continue
		}
		for _, series := range family.GetMetric() {
			values := make([]string, 0, len(series.GetLabel()))
			for _, label := range series.GetLabel() {
				values = append(values, label.GetValue())
			}
			if slices.Equal(values, labels) {
				return series.GetCounter().GetValue() + series.GetGauge().GetValue() +
					float64(series.GetHistogram().GetSampleCount()), true
			}
		}
	}
	return 0, false
}

// assertDecided waits for the one decision of this kind: a client may see the end before the gateway has counted it.
func (g *gateway) assertDecided(tb testing.TB, result any) {
	tb.Helper()
	name := fmt.Sprint(result)
	eventually(tb, name+" is counted once", func() bool { return g.metric(tb, "connections_total", name) == 1 })
}

// assertUntouched fails when anything was asked of the outside.
func (g *gateway) assertUntouched(tb testing.TB) {
	tb.Helper()
	if asked := g.dns.questions(); len(asked) > 0 {
		tb.Errorf("DNS was asked for %s", asked)
	}
	g.assertNotDialled(tb)
}

func (g *gateway) assertNotDialled(tb testing.TB) {
	tb.Helper()
	if dialled := g.outside.dials(); len(dialled) > 0 {
		tb.Errorf("dialled %s", dialled)
	}
}

func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			tb.Fatalf("after %s still not true: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// nothingRuns looks for the gateway's own goroutines in a dump of all stacks.
func nothingRuns() bool {
	dump := make([]byte, 4<<20)
	dump = dump[:runtime.Stack(dump, true)]
	for _, frame := range []string{"gateway/egress.(*", "gateway/accept.(*", "gateway/relay.(*"} {
		if bytes.Contains(dump, []byte(frame)) {
			return false
		}
	}
	return true
}
