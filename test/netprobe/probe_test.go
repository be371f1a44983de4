// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/chattenant/chattenant/chatserver/isolation/prober"
	"github.com/chattenant/chattenant/test/loopback"
)

// probeJSON runs the probe subcommand as a pod would and returns its exit status and results.
func probeJSON(t *testing.T, args []string, std streams) (int, []Result) {
	t.Helper()
	var out, errs bytes.Buffer
	std.out, std.err = &out, &errs
	if std.env == nil {
		std.env = func(string) string { return "" }
	}
	status := run(t.Context(), append([]string{"probe"}, args...), std)
	var results []Result
	if err := json.Unmarshal(out.Bytes(), &results); err != nil && status != exitUsage {
		t.Fatalf("output %q, errors %q: %v", out.String(), errs.String(), err)
	}
	return status, results
}

// targetsJSON lets targets whose time-out is not the point take as long as a machine that stalls may need.
func targetsJSON(t *testing.T, targets ...prober.Target) string {
	t.Helper()
	for i := range targets {
		if targets[i].TimeoutMs == 0 {
			targets[i].TimeoutMs = 30_000
		}
	}
	data, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tryOne probes a single target.
func tryOne(t *testing.T, target prober.Target) Result {
	t.Helper()
	target.ID = "it"
	_, results := probeJSON(t, []string{targetsJSON(t, target)}, streams{})
	if len(results) != 1 {
		t.Fatalf("%d results, want 1", len(results))
	}
	return results[0]
}

// closedUDPPort is an address of loopback nobody receives at: a socket that is connected, here to itself, keeps the
// port and takes nothing from others.
func closedUDPPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	own, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, own); err != nil {
		t.Fatal(err)
	}
	return addressOf(t, own)
}

func addressOf(t *testing.T, name syscall.Sockaddr) string {
	t.Helper()
	inet, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("bound to a %T", name)
	}
	return fmt.Sprintf("127.0.0.1:%d", inet.Port)
}

// silentTCP accepts, or lets the kernel accept, and says nothing.
func silentTCP(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// serveUDP answers every datagram with what answer makes of it, if anything.
func serveUDP(t *testing.T, answer func([]byte) []byte) string {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		buffer := make([]byte, maxDatagram)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := answer(buffer[:n]); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// unasked is a name that Go's resolver denies without asking anyone (RFC 7686), so that the test stays on loopback.
const unasked = "nobody.onion"

func silence([]byte) []byte { return nil }

// resolver answers queries for name only, with NXDOMAIN.
func resolver(t *testing.T, name string) func([]byte) []byte {
	t.Helper()
	return func(query []byte) []byte {
		var message dnsmessage.Message
		if err := message.Unpack(query); err != nil {
			t.Errorf("not a DNS query: %v", err)
			return nil
		}
		if len(message.Questions) != 1 || message.Questions[0].Name.String() != name {
			t.Errorf("questions %v, want one for %s", message.Questions, name)
			return nil
		}
		message.Response, message.RCode = true, dnsmessage.RCodeNameError
		reply, err := message.Pack()
		if err != nil {
			t.Error(err)
		}
		return reply
	}
}

func TestOutcomesTellNetworksApart(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)
	webAddr, plainAddr := web.Listener.Addr().String(), plain.Listener.Addr().String()
	spoof := func(query []byte) []byte { return append([]byte{query[0] ^ 1}, query[1:]...) }
	tests := map[string]struct {
		target prober.Target
		want   prober.Outcome
		detail string // must be part of the detail
	}{
		"tcp to a listener": {prober.Target{Network: "tcp", Address: silentTCP(t)}, prober.OutcomeOpen, ""},
		"tcp to a closed port": {
			prober.Target{Network: "tcp", Address: loopback.Address(t)}, prober.OutcomeRefused, "refused",
		},
		"tcp to a name nobody has": {
			prober.Target{Network: "tcp", Address: unasked + ":1"}, prober.OutcomeUnresolved, unasked,
		},
		"tls to a TLS server": {
			prober.Target{Network: "tls", Address: webAddr, ServerName: "example.com"}, prober.OutcomeOpen, "example.com",
		},
		"tls to a server without TLS": {prober.Target{Network: "tls", Address: plainAddr}, prober.OutcomeHandshakeFailed, ""},
		"tls to a server without words": {
			prober.Target{Network: "tls", Address: silentTCP(t), TimeoutMs: 50}, prober.OutcomeTimeout, "",
		},
		"tls to a closed port": {prober.Target{Network: "tls", Address: loopback.Address(t)}, prober.OutcomeRefused, ""},
		"udp to an echo": {
			prober.Target{Network: "udp", Address: serveUDP(t, bytes.Clone)}, prober.OutcomeAnswered, "",
		},
		"udp to a closed port": {prober.Target{Network: "udp", Address: closedUDPPort(t)}, prober.OutcomeRefused, "refused"},
		"udp into silence": {
			prober.Target{Network: "udp", Address: serveUDP(t, silence), TimeoutMs: 50},
			prober.OutcomeTimeout, "",
		},
		"dns to a resolver": {
			prober.Target{Network: "dns", Address: serveUDP(t, resolver(t, prober.DefaultQuery))},
			prober.OutcomeAnswered, "RCodeNameError",
		},
		"dns for a name of one's own": {
			prober.Target{Network: "dns", Query: "a.test", Address: serveUDP(t, resolver(t, "a.test."))},
			prober.OutcomeAnswered, "",
		},
		"dns to an echo": {
			prober.Target{Network: "dns", Address: serveUDP(t, bytes.Clone), TimeoutMs: 50},
			prober.OutcomeTimeout, "",
		},
		"dns answered for someone else": {
			prober.Target{Network: "dns", Address: serveUDP(t, spoof), TimeoutMs: 50},
			prober.OutcomeTimeout, "",
		},
		"dns to a closed port": {prober.Target{Network: "dns", Address: closedUDPPort(t)}, prober.OutcomeRefused, ""},
		"dns for an impossible name": {
			prober.Target{Network: "dns", Query: strings.Repeat("a", 300), Address: loopback.Address(t)},
			prober.OutcomeFailed, "query",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := tryOne(t, test.target)
			if got.Outcome != test.want || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("%s (%s), want %s (…%s…)", got.Outcome, got.Detail, test.want, test.detail)
			}
		})
	}
}

// TestATCPTimeoutIsNoRefusal fills a listener's backlog, which makes the kernel ignore further connections just as a
// dropping firewall does.
func TestATCPTimeoutIsNoRefusal(t *testing.T) {
	address := fullBacklog(t)
	got := tryOne(t, prober.Target{Network: "tcp", Address: address, TimeoutMs: 300})
	if got.Outcome != prober.OutcomeTimeout {
		t.Errorf("%s (%s), want timeout", got.Outcome, got.Detail)
	}
	// The kernel itself gives up after some two minutes.
	if got.Millis < 250 || got.Millis > 30_000 {
		t.Errorf("took %d ms, want about 300", got.Millis)
	}
}

// fullBacklog listens without accepting and with no room for one more connection.
func fullBacklog(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		syscall.Listen(fd, 0),
	); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := addressOf(t, name)
	// The kernel holds one more than the backlog.
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return address
}

func TestResultsKeepTheOrderAndJudgeExpectations(t *testing.T) {
	open, closed := silentTCP(t), loopback.Address(t)
	targets := targetsJSON(t,
		prober.Target{ID: "a", Network: "tcp", Address: open, Expect: prober.OutcomeOpen},
		prober.Target{ID: "b", Network: "tcp", Address: closed, Expect: prober.OutcomeTimeout},
		prober.Target{ID: "c", Network: "tcp", Address: closed},
	)
	yes, no := true, false
	want := []Result{
		{ID: "a", Network: "tcp", Address: open, Outcome: prober.OutcomeOpen, AsExpected: &yes},
		{ID: "b", Network: "tcp", Address: closed, Outcome: prober.OutcomeRefused, AsExpected: &no},
		{ID: "c", Network: "tcp", Address: closed, Outcome: prober.OutcomeRefused},
	}
	status, got := probeJSON(t, []string{"--parallel", "1", targets}, streams{})
	if status != exitUnexpected {
		t.Errorf("exit status %d, want %d", status, exitUnexpected)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Result{}, "Detail", "Millis")); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestTargetsComeFromWhereTheyAreAskedFor(t *testing.T) {
	targets := targetsJSON(t,
		prober.Target{ID: "a", Network: "tcp", Address: loopback.Address(t), Expect: prober.OutcomeRefused})
	env := func(name string) string {
		if name == targetsVariable {
			return targets
		}
		return ""
	}
	for name, test := range map[string]struct {
		args []string
		std  streams
	}{
		"argument":       {[]string{targets}, streams{}},
		"standard input": {[]string{"-"}, streams{in: strings.NewReader(targets)}},
		"environment":    {nil, streams{env: env}},
	} {
		t.Run(name, func(t *testing.T) {
			status, results := probeJSON(t, test.args, test.std)
			if status != exitAsExpected || len(results) != 1 {
				t.Errorf("exit status %d with %d results, want %d with 1", status, len(results), exitAsExpected)
			}
		})
	}
}

func TestProbesRunInParallel(t *testing.T) {
	const count = 40
	address := answerOnceAllAsked(t, count)
	targets := make([]prober.Target, count)
	for i := range targets {
		targets[i] = prober.Target{
			ID: strconv.Itoa(i), Network: "udp", Address: address, Expect: prober.OutcomeAnswered,
		}
	}
	if status, results := probeJSON(t, []string{targetsJSON(t, targets...)}, streams{}); status != exitAsExpected {
		t.Errorf("status %d: %+v", status, results)
	}
}

// answerOnceAllAsked is a UDP server that answers nobody before count have asked.
func answerOnceAllAsked(t *testing.T, count int) string {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); running.Wait() })
	running.Go(func() {
		asked := map[string]net.Addr{}
		for buffer := make([]byte, maxDatagram); len(asked) < count; {
			_, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			asked[from.String()] = from
		}
		for _, from := range asked {
			_, _ = conn.WriteTo([]byte("here"), from)
		}
	})
	return conn.LocalAddr().String()
}

func TestTheTerminationMessageIsWholeOrMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "termination-log")
	address := loopback.Address(t)
	one := targetsJSON(t, prober.Target{ID: "a", Network: "tcp", Address: address})
	if status, _ := probeJSON(t, []string{"--termination-log", file, one}, streams{}); status != exitAsExpected {
		t.Fatalf("exit status %d", status)
	}
	var results []Result
	data, err := fs.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &results); err != nil || len(results) != 1 {
		t.Errorf("message %s: %v", data, err)
	}

	long := filepath.Join(t.TempDir(), "termination-log")
	many := targetsJSON(t, prober.Target{ID: strings.Repeat("a", maxTerminationMessage), Network: "tcp", Address: address})
	if status, _ := probeJSON(t, []string{"--termination-log", long, many}, streams{}); status != exitUsage {
		t.Errorf("exit status %d for a message that does not fit, want %d", status, exitUsage)
	}
	if _, err := os.Stat(long); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a message was written")
	}
}

func TestMalformedTargetsAreRefused(t *testing.T) {
	tests := map[string]string{
		"nothing":            "",
		"no list":            "{}",
		"two lists":          "[][]",
		"a misspelt field":   `[{"id":"a","network":"tcp","address":"127.0.0.1:1","expects":"open"}]`,
		"an unknown network": `[{"id":"a","network":"sctp","address":"127.0.0.1:1"}]`,
		"an unknown outcome": `[{"id":"a","network":"tcp","address":"127.0.0.1:1","expect":"closed"}]`,
		"no id":              `[{"network":"tcp","address":"127.0.0.1:1"}]`,
		"an id twice": `[{"id":"a","network":"tcp","address":"127.0.0.1:1"},
			{"id":"a","network":"udp","address":"127.0.0.1:1"}]`,
		"an address sans port": `[{"id":"a","network":"tcp","address":"127.0.0.1"}]`,
		"a negative time-out":  `[{"id":"a","network":"tcp","address":"127.0.0.1:1","timeoutMs":-1}]`,
		"an endless time-out":  `[{"id":"a","network":"tcp","address":"127.0.0.1:1","timeoutMs":60001}]`,
	}
	for name, targets := range tests {
		if status, _ := probeJSON(t, []string{targets}, streams{}); status != exitUsage {
			t.Errorf("%s: exit status %d, want %d", name, status, exitUsage)
		}
	}
}

func TestUsageErrorsAreTold(t *testing.T) {
	for _, args := range [][]string{
		nil, {"prob"}, {"listen"}, {"listen", "--port", "1"}, {"probe", "--parallel", "0", "[]"}, {"probe", "[]", "[]"},
	} {
		var errs bytes.Buffer
		status := run(t.Context(), args, streams{out: &bytes.Buffer{}, err: &errs, env: os.Getenv})
		if status != exitUsage || errs.Len() == 0 {
			t.Errorf("%q: exit status %d, told %q", args, status, errs.String())
		}
	}
}
