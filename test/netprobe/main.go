// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command netprobe tells what a pod can reach. It is a static binary without a shell or a library beside it, so that it
// runs as the only file of an image, under the restricted Pod Security profile, and wherever a tenant's pod would.
//
//	netprobe probe [--parallel 64] [--termination-log FILE] [TARGETS]
//	netprobe listen [--tcp PORT] [--udp PORT]
//	netprobe sleep
//
// # Probing
//
// TARGETS is a JSON list; "-" reads it from standard input, and without an argument it comes from the environment
// variable NETPROBE_TARGETS:
//
//	[{"id": "db", "network": "tcp", "address": "10.96.3.7:5432", "timeoutMs": 1500, "expect": "timeout"},
//	 {"id": "resolver", "network": "dns", "address": "10.96.0.10:53"}]
//
// All targets are tried in parallel. Standard output gets one JSON list, in the order of the targets, each with id,
// network, address, outcome, detail and millis, and, where the target says what it expects, asExpected. With
// --termination-log (usually /dev/termination-log) the same list becomes the container's termination message, which
// Kubernetes cuts at 4096 bytes: a longer list is an error instead of half a list.
//
// Networks:
//
//   - tcp connects and closes.
//   - tls connects and shakes hands, under the target's serverName or its host; the certificate is not verified, its
//     names are the detail.
//   - udp sends one datagram and waits for any answer.
//   - dns sends a real query over UDP (for the target's query, or kubernetes.default.svc.cluster.local) and waits for
//     the answer to it; the response code is the detail.
//
// Outcomes:
//
//   - open: connected (tcp), shaken hands (tls).
//   - answered: something came back (udp, dns).
//   - refused: a reset, or an ICMP message that the port is unreachable, as a rejecting firewall sends.
//   - unreachable: no route, or an ICMP message that the host or network is unreachable or prohibited.
//   - timeout: nothing came back in time, as behind a dropping firewall.
//   - handshakeFailed: connected, but not by TLS (tls).
//   - unresolved: the address holds a name that does not resolve.
//   - failed: anything else; the detail says what.
//
// The exit status is 0 when every expectation was met, 1 when one was not, 2 when the command could not run.
//
// # Standing by
//
// listen echoes TCP and UDP, so that there is something to reach. sleep waits, so that probes can be started inside its
// pod. Both end with SIGTERM or SIGINT.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitAsExpected = 0
	exitUnexpected = 1
	exitUsage      = 2
)

// streams are what the process is connected to, so that tests can connect it to something else.
type streams struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv})
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, std streams) int {
	status, err := dispatch(ctx, args, std)
	if err != nil {
		_, _ = fmt.Fprintln(std.err, "netprobe:", err)
	}
	return status
}

func dispatch(ctx context.Context, args []string, std streams) (int, error) {
	if len(args) == 0 {
		return exitUsage, fmt.Errorf("want a subcommand: probe, listen or sleep")
	}
	switch args[0] {
	case "probe":
		return runProbe(ctx, args[1:], std)
	case "listen":
		return runListen(ctx, args[1:], std)
	case "sleep":
		<-ctx.Done()
		return exitAsExpected, nil
	default:
		return exitUsage, fmt.Errorf("unknown subcommand %q: want probe, listen or sleep", args[0])
	}
}
