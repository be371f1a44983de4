// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/gateway/hello/hellotest"
)

// peerVariable makes the test binary play both sides of the gateway instead of running tests, so that what the
// benchmark's own process uses is the gateway's. Its value is the gateway's address.
const peerVariable = "CHATTENANT_TEST_GATEWAY_PEER"

func TestMain(m *testing.M) {
	if addr := os.Getenv(peerVariable); addr != "" {
		if err := playPeer(context.Background(), addr, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// playPeer serves a tenant, says where, and opens as many connections through the gateway as each line of in asks for:
// hello and count. It says so when all have reached the tenant, and keeps them open until in ends.
func playPeer(ctx context.Context, gateway string, in io.Reader, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	_, _ = fmt.Fprintln(out, listener.Addr())
	var open []net.Conn // referenced, so that no finaliser closes them
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var hello []byte
		var count int
		if _, err := fmt.Sscanf(lines.Text(), "%x %d", &hello, &count); err != nil {
			return err
		}
		for range count {
			conn, err := openRaw(ctx, gateway, hello)
			if err != nil {
				return err
			}
			open = append(open, conn, <-accepted)
		}
		_, _ = fmt.Fprintln(out, len(open))
	}
	return nil
}

// openRaw connects and sends.
func openRaw(ctx context.Context, addr string, data []byte) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = conn.Write(data)
	return conn, err
}

// BenchmarkIdleConnection rests 2,000 connections and reports what each costs the gateway's process: Go's heap and
// stacks, and resident memory as the kernel counts it. Socket buffers are the kernel's and come on top.
func BenchmarkIdleConnection(b *testing.B) {
	const count = 2000
	g := startGateway(b, nil)
	peer := startPeer(b, g)
	for b.Loop() {
		peer.open(b, 100) // grows what grows once
		before := memory(b)
		peer.open(b, count)
		time.Sleep(2 * time.Second) // let bursts end and pipes go
		after := memory(b)
		b.ReportMetric((after.heap-before.heap)/count, "heap-B/conn")
		b.ReportMetric((after.stack-before.stack)/count, "stack-B/conn")
		b.ReportMetric((after.resident-before.resident)/count, "resident-B/conn")
	}
}

type peerProcess struct {
	hello []byte
	in    io.Writer
	out   *bufio.Scanner
}

func startPeer(b *testing.B, g *gateway) *peerProcess {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // this very binary
	command.Env = append(os.Environ(), peerVariable+"="+g.addr)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	peer := &peerProcess{hello: hellotest.For(b, acmeHost), in: in, out: bufio.NewScanner(out)}
	g.serveTenant(acmeHost, "acme", peer.line(b))
	return peer
}

func (p *peerProcess) open(b *testing.B, count int) {
	b.Helper()
	if _, err := fmt.Fprintf(p.in, "%x %d\n", p.hello, count); err != nil {
		b.Fatal(err)
	}
	p.line(b)
}

func (p *peerProcess) line(b *testing.B) string {
	b.Helper()
	if !p.out.Scan() {
		b.Fatalf("the peer process said nothing: %v", p.out.Err())
	}
	return p.out.Text()
}

// usage is what a process uses, in bytes.
type usage struct{ heap, stack, resident float64 }

// memory measures after what can be freed was.
func memory(b *testing.B) usage {
	b.Helper()
	for range 4 { // a stack shrinks by half per collection
		debug.FreeOSMemory()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return usage{float64(stats.HeapInuse), float64(stats.StackInuse), residentSet(b)}
}

func residentSet(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skipf("no /proc here: %v", err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	kilobytes, err := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kilobytes * 1024
}
