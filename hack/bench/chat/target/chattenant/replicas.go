// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package chattenant

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Replicas is the product with two replicas: visitors write at one and the agent reads at the other, so each message
// crosses the database before it is delivered. Both are in one process; they share nothing but the database.
type Replicas struct{ Target }

// neighbour is the loopback address of the second replica, which listens on the same port as the first.
const neighbour = "127.0.0.2"

// Serve implements target.Server.
func (Replicas) Serve(ctx context.Context, site target.Site, listener net.Listener) error {
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("read own address: %w", err)
	}
	second, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(neighbour, port))
	if err != nil {
		return fmt.Errorf("listen for the second replica: %w", err)
	}
	if err := employ(ctx, site); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range []net.Listener{listener, second} {
		group.Go(func() error { return serve(ctx, site, l) })
	}
	return group.Wait()
}

// At implements target.Target.
func (r Replicas) At(address string, site target.Site) (target.Client, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read address: %w", err)
	}
	c, err := newClient(address, site)
	if err != nil {
		return nil, err
	}
	c.agentAddress = net.JoinHostPort(neighbour, port)
	return c, await(c.agentAddress)
}

// await waits for the second replica: only the first one's listener is known to be there.
func await(address string) (err error) {
	const attempts, pause = 100, 50 * time.Millisecond
	dialer := &net.Dialer{Timeout: pause}
	for range attempts {
		var conn net.Conn
		if conn, err = dialer.DialContext(context.Background(), "tcp", address); err == nil {
			return conn.Close()
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("wait for the second replica: %w", err)
}
