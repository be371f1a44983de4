// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
)

func runListen(ctx context.Context, args []string, std streams) (int, error) {
	flags := flag.NewFlagSet("listen", flag.ContinueOnError)
	flags.SetOutput(std.err)
	tcp := flags.Int("tcp", -1, "TCP port to echo on, 0 for any")
	udp := flags.Int("udp", -1, "UDP port to echo on, 0 for any")
	if err := flags.Parse(args); err != nil {
		return exitUsage, nil //nolint:nilerr // the flag set has told the user already
	}
	if *tcp < 0 && *udp < 0 {
		return exitUsage, errors.New("listen: want --tcp, --udp or both")
	}
	group, ctx := errgroup.WithContext(ctx)
	if *tcp >= 0 {
		group.Go(func() error { return listenTCP(ctx, *tcp, std.out) })
	}
	if *udp >= 0 {
		group.Go(func() error { return listenUDP(ctx, *udp, std.out) })
	}
	if err := group.Wait(); err != nil {
		return exitUsage, err
	}
	return exitAsExpected, nil
}

func address(port int) string { return net.JoinHostPort("", strconv.Itoa(port)) }

// listenTCP echoes until ctx ends. It says on out where it listens.
func listenTCP(ctx context.Context, port int, out io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address(port))
	if err != nil {
		return fmt.Errorf("listen on TCP: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	defer func() { _ = listener.Close() }()
	_, _ = fmt.Fprintln(out, "tcp", listener.Addr())
	var echoes sync.WaitGroup
	defer echoes.Wait()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept on TCP: %w", err)
		}
		echoes.Go(func() { echo(ctx, conn) })
	}
}

func echo(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, _ = io.Copy(conn, conn) // how it ends is the other side's business
}

// maxDatagram is the largest datagram that is echoed whole, in bytes.
const maxDatagram = 4096

// listenUDP echoes until ctx ends. It says on out where it listens.
func listenUDP(ctx context.Context, port int, out io.Writer) error {
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, "udp", address(port))
	if err != nil {
		return fmt.Errorf("listen on UDP: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintln(out, "udp", conn.LocalAddr())
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from UDP: %w", err)
		}
		_, _ = conn.WriteTo(buffer[:n], from) // an answer that is lost is what UDP promises
	}
}
