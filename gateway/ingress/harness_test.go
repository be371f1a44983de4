// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
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

	"github.com/chattenant/chattenant/gateway/accept"
	"github.com/chattenant/chattenant/gateway/ingress"
	"github.com/chattenant/chattenant/gateway/socket"
)

// patience bounds every wait of these tests; none of them waits this long when all is well.
const patience = 30 * time.Second

// routeMap is a route table that tests change at will.
type routeMap struct {
	mu    sync.Mutex
	hosts map[string]string
}

func (r *routeMap) Lookup(host string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tenant, ok := r.hosts[host]
	return tenant, ok
}

func (r *routeMap) set(host, tenant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts[host] = tenant
}

func (r *routeMap) remove(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.hosts, host)
}

// gateway is a server under test on a loopback port.
type gateway struct {
	*ingress.Server

	addr     string
	routes   *routeMap
	registry *prometheus.Registry
	// stop begins the drain; ended yields what Serve returned.
	stop  context.CancelFunc
	ended <-chan error

	mu        sync.Mutex
	upstreams map[string]string
	logged    []string
}

// startGateway serves with the default configuration after change has adapted it. The test ends by draining it and
// fails when anything of it keeps running.
func startGateway(tb testing.TB, change func(*ingress.Config)) *gateway {
	tb.Helper()
	listener, err := socket.Listen(tb.Context(), "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return startGatewayOn(tb, listener, listener.Addr().String(), change)
}

func startGatewayOn(tb testing.TB, listener accept.Listener, addr string, change func(*ingress.Config)) *gateway {
	tb.Helper()
	return startGatewayBy(tb, clock.RealClock{}, listener, addr, change)
}

func startGatewayBy(
	tb testing.TB, c clock.Clock, listener accept.Listener, addr string, change func(*ingress.Config),
) *gateway {
	tb.Helper()
	g := &gateway{
		addr:      addr,
		routes:    &routeMap{hosts: map[string]string{}},
		registry:  prometheus.NewPedanticRegistry(),
		upstreams: map[string]string{},
	}
	config := ingress.DefaultConfig()
	config.MaxConnectionsPerSource = 0
	config.DrainDelay, config.DrainTimeout = 0, 0
	if change != nil {
		change(&config)
	}
	server, err := ingress.New(ingress.Options{
		Config: config, Routes: g.routes, Dial: g.dial, Log: g.logger(),
		Metrics: ingress.NewMetrics(g.registry), Clock: c,
	})
	if err != nil {
		tb.Fatal(err)
	}
	g.Server = server
	g.serve(tb, listener)
	return g
}

func (g *gateway) serve(tb testing.TB, listener accept.Listener) {
	tb.Helper()
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
		assertNothingRuns(tb)
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

func (g *gateway) dial(ctx context.Context, tenant string) (*net.TCPConn, error) {
	g.mu.Lock()
	addr, ok := g.upstreams[tenant]
	g.mu.Unlock()
	if !ok {
		return nil, errors.New("no such host")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("got a %T", conn)
	}
	return tcp, nil
}

// serveTenant lets a name lead to a tenant whose chat server listens at addr.
func (g *gateway) serveTenant(host, tenant, addr string) {
	g.mu.Lock()
	g.upstreams[tenant] = addr
	g.mu.Unlock()
	g.routes.set(host, tenant)
}

// metric reads one series, zero when there is none.
func (g *gateway) metric(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "chattenant_gateway_ingress_"+name {
			continue
		}
		for _, series := range family.GetMetric() {
			values := make([]string, 0, len(series.GetLabel()))
			for _, label := range series.GetLabel() {
				values = append(values, label.GetValue())
			}
			if strings.Join(values, ",") == strings.Join(labels, ",") {
				return series.GetCounter().GetValue() + series.GetGauge().GetValue() +
					float64(series.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

func (g *gateway) decided(tb testing.TB, result ingress.Result) float64 {
	tb.Helper()
	return g.metric(tb, "connections_total", string(result))
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

// assertNothingRuns looks for the gateway's own goroutines in a dump of all stacks. One that has done its work may need
// another moment to be gone.
func assertNothingRuns(tb testing.TB) {
	tb.Helper()
	eventually(tb, "no goroutine of the gateway is left", func() bool {
		dump := stacks()
		return !slices.ContainsFunc(ownFrames, func(frame string) bool { return bytes.Contains(dump, []byte(frame)) })
	})
}

// ownFrames mark goroutines that run in, or were started by, the packages under test and not their tests.
var ownFrames = []string{"gateway/ingress.(*", "gateway/accept.(*", "gateway/relay.(*"}

func stacks() []byte {
	for size := 1 << 20; ; size *= 2 {
		if dump := make([]byte, size); runtime.Stack(dump, true) < size {
			return dump
		}
	}
}
