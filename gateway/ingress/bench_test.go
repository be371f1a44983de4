// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/chattenant/chattenant/gateway/ingress"
)

// Each benchmark takes the direct way and the way through the gateway in turns, so that both see the same machine, and
// reports the two beside their ratio. Client, gateway and tenant share its cores: what the gateway adds is what it
// costs when there is none to spare.

const chunk = 16 * megabyte

// BenchmarkThroughput sends 16 MiB each way per iteration, over TLS.
func BenchmarkThroughput(b *testing.B) {
	g, tenant, direct := startBench(b)
	ways := [2]*tls.Conn{dialTLS(b, direct, tenant), dialTLS(b, g.addr, tenant)}
	var took [2]time.Duration
	data := make([]byte, chunk)
	for b.Loop() {
		for way, conn := range ways {
			took[way] += timed(func() { roundTrip(b, conn, data) })
		}
	}
	rate := func(d time.Duration) float64 { return float64(b.N) * 2 * chunk / megabyte / d.Seconds() }
	b.ReportMetric(rate(took[0]), "direct-MB/s")
	b.ReportMetric(rate(took[1]), "gateway-MB/s")
	b.ReportMetric(rate(took[1])/rate(took[0]), "ratio")
}

// BenchmarkLatency sends a message of a chat's size there and back per iteration, over TLS.
func BenchmarkLatency(b *testing.B) {
	g, tenant, direct := startBench(b)
	ways := [2]*tls.Conn{dialTLS(b, direct, tenant), dialTLS(b, g.addr, tenant)}
	var took [2][]time.Duration
	message := make([]byte, 200)
	for b.Loop() {
		for way, conn := range ways {
			took[way] = append(took[way], timed(func() { roundTrip(b, conn, message) }))
		}
	}
	reportMedians(b, took)
}

// BenchmarkConnect opens a TLS connection per iteration, from the first packet to the first echoed byte.
func BenchmarkConnect(b *testing.B) {
	g, tenant, direct := startBench(b)
	var took [2][]time.Duration
	for b.Loop() {
		for way, addr := range [2]string{direct, g.addr} {
			took[way] = append(took[way], timed(func() {
				conn := dialTLS(b, addr, tenant)
				roundTrip(b, conn, []byte("x"))
				_ = conn.Close()
			}))
		}
	}
	reportMedians(b, took)
}

// startBench serves one tenant through a gateway, and the same without one at the address it also returns.
func startBench(b *testing.B) (*gateway, *tenantServer, string) {
	b.Helper()
	cert := newCertificate(b, acmeHost)
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
	serve := func(conn net.Conn) { echo(tls.Server(conn, config)) }
	tenant := startTenant(b, serve)
	tenant.roots = rootsOf(cert)
	g := startGateway(b, func(c *ingress.Config) { c.MaxConnections = 0 })
	g.serveTenant(acmeHost, "acme", tenant.addr)
	return g, tenant, startPlain(b, serve)
}

// startPlain serves connections that come without a PROXY header.
func startPlain(b *testing.B, serve func(net.Conn)) string {
	b.Helper()
	listener := listenTCP(b)
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String()
}

func dialTLS(b *testing.B, addr string, tenant *tenantServer) *tls.Conn {
	b.Helper()
	conn := tls.Client(dialTCP(b, addr), &tls.Config{ServerName: acmeHost, RootCAs: tenant.roots})
	if err := conn.HandshakeContext(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// roundTrip writes data and reads as much back, at the same time.
func roundTrip(b *testing.B, conn *tls.Conn, data []byte) {
	b.Helper()
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		written <- err
	}()
	if _, err := io.CopyN(io.Discard, conn, int64(len(data))); err != nil {
		b.Fatal(err)
	}
	if err := <-written; err != nil {
		b.Fatal(err)
	}
}

func timed(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

func reportMedians(b *testing.B, took [2][]time.Duration) {
	b.Helper()
	direct, through := median(took[0]), median(took[1])
	b.ReportMetric(float64(direct.Microseconds()), "direct-p50-µs")
	b.ReportMetric(float64(through.Microseconds()), "gateway-p50-µs")
	b.ReportMetric(float64((through - direct).Microseconds()), "added-p50-µs")
	b.ReportMetric(float64(through)/float64(direct), "ratio")
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
